"""Training: a resumable loop and atomic checkpoints."""

from lrcn_fast.training.checkpoint import (
    load_model,
    load_state,
    save_model,
    save_state,
    write_json,
)
from lrcn_fast.training.loop import TrainingConfig, train, warmup_cosine

__all__ = [
    "TrainingConfig",
    "load_model",
    "load_state",
    "save_model",
    "save_state",
    "train",
    "warmup_cosine",
    "write_json",
]
