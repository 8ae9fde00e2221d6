"""Plain PyTorch definitions of every operator: the oracle of all kernels and the slowest backend.

Nothing here imports anything but torch. Each function has the signature of the operator of the
same name, and the meaning of an operator is what the code here does.
"""

from lrcn_fast.reference.conv_frames import conv_frames
from lrcn_fast.reference.cross_entropy import cross_entropy
from lrcn_fast.reference.frames_to_input import frames_to_input
from lrcn_fast.reference.linear_cross_entropy import linear_cross_entropy
from lrcn_fast.reference.lstm import lstm, lstm_backward, lstm_forward, valid_steps
from lrcn_fast.reference.lstm_cell import (
    gate_slopes,
    lstm_cell_backward,
    lstm_cell_forward,
    second_gate_gradients,
)
from lrcn_fast.reference.lstm_scans import lstm_scans_backward, lstm_scans_forward
from lrcn_fast.reference.lstm_step import lstm_step
from lrcn_fast.reference.relu_max_pool_lrn import (
    relu_max_pool_lrn,
    relu_max_pool_lrn_backward,
    relu_max_pool_lrn_forward,
)
from lrcn_fast.reference.vocabulary_top_k import vocabulary_top_k

__all__ = [
    "conv_frames",
    "cross_entropy",
    "frames_to_input",
    "gate_slopes",
    "linear_cross_entropy",
    "lstm",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "lstm_scans_backward",
    "lstm_scans_forward",
    "lstm_step",
    "relu_max_pool_lrn",
    "relu_max_pool_lrn_backward",
    "relu_max_pool_lrn_forward",
    "second_gate_gradients",
    "valid_steps",
    "vocabulary_top_k",
]
