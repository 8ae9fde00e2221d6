"""Training: a resumable loop, the solver of Caffe, and atomic checkpoints."""

from lrcn_fast.training.caffe_sgd import CaffeSGD, step_decay
from lrcn_fast.training.checkpoint import (
    load_model,
    load_state,
    save_model,
    save_state,
    write_json,
)
from lrcn_fast.training.loop import TrainingConfig, train, warmup_cosine
from lrcn_fast.training.windows import windows

__all__ = [
    "CaffeSGD",
    "TrainingConfig",
    "load_model",
    "load_state",
    "save_model",
    "save_state",
    "step_decay",
    "train",
    "warmup_cosine",
    "windows",
    "write_json",
]
