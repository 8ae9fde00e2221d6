"""LRCN networks."""

from lrcn_fast.models.activity import ActivityRecognizer, FrameClassifier
from lrcn_fast.models.captioner import Captioner
from lrcn_fast.models.captioner_config import CaptionerConfig
from lrcn_fast.models.config import ActivityConfig
from lrcn_fast.models.pretrained import Preprocessing
from lrcn_fast.models.scores import clip_probabilities, step_loss
from lrcn_fast.models.small_net import SmallNet
from lrcn_fast.models.vocabulary import Vocabulary, VocabularyError

__all__ = [
    "ActivityConfig",
    "ActivityRecognizer",
    "Captioner",
    "CaptionerConfig",
    "FrameClassifier",
    "Preprocessing",
    "SmallNet",
    "Vocabulary",
    "VocabularyError",
    "clip_probabilities",
    "step_loss",
]
