"""The operators of ``torch.ops.lrcn_fast``: schema, fake kernel, autograd and autocast of each.

The kernels themselves are registered by the extension (CPU, CUDA) and, for the operators whose
name ends in ``_triton`` or ``_reference``, here for every device: those of
:mod:`lrcn_fast.triton_kernels`, imported on the first call, and :mod:`lrcn_fast.reference`.
"""

from lrcn_fast import _loader
from lrcn_fast.ops import (
    conv_frames,
    cross_entropy,
    frames_to_input,
    linear,
    linear_cross_entropy,
    lstm,
    lstm_cell,
    lstm_scans,
    lstm_step,
    lstm_windows,
    relu_max_pool_lrn,
    vocabulary_top_k,
)

__all__ = [
    "conv_frames",
    "cross_entropy",
    "frames_to_input",
    "linear",
    "linear_cross_entropy",
    "lstm",
    "lstm_cell",
    "lstm_scans",
    "lstm_step",
    "lstm_windows",
    "relu_max_pool_lrn",
    "vocabulary_top_k",
]

_loader.load()
