"""LRCN networks."""

from lrcn_fast.models.activity import ActivityRecognizer, FrameClassifier
from lrcn_fast.models.cnn import CNN, CNNConfig, ConvLayer
from lrcn_fast.models.config import ActivityConfig
from lrcn_fast.models.scores import clip_probabilities, step_loss

__all__ = [
    "CNN",
    "ActivityConfig",
    "ActivityRecognizer",
    "CNNConfig",
    "ConvLayer",
    "FrameClassifier",
    "clip_probabilities",
    "step_loss",
]
