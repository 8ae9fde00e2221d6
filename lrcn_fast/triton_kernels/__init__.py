"""The operators of :mod:`lrcn_fast.ops` as Triton kernels: compiled where they run, by no nvcc.

Imported on the first call only, because it needs the package triton. Each function has the
signature and the meaning of the function of the same name in :mod:`lrcn_fast.reference`.
"""

try:
    import triton  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the Triton kernels of lrcn_fast need the package triton: pip install triton"
    ) from error

from lrcn_fast.triton_kernels.cross_entropy import cross_entropy
from lrcn_fast.triton_kernels.frames_to_input import frames_to_input
from lrcn_fast.triton_kernels.lstm import lstm_backward, lstm_forward
from lrcn_fast.triton_kernels.lstm_cell import lstm_cell_backward, lstm_cell_forward
from lrcn_fast.triton_kernels.lstm_step import lstm_step
from lrcn_fast.triton_kernels.relu_max_pool_lrn import (
    relu_max_pool_lrn_backward,
    relu_max_pool_lrn_forward,
)
from lrcn_fast.triton_kernels.vocabulary_top_k import vocabulary_top_k

__all__ = [
    "cross_entropy",
    "frames_to_input",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "lstm_step",
    "relu_max_pool_lrn_backward",
    "relu_max_pool_lrn_forward",
    "vocabulary_top_k",
]
