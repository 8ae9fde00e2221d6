"""Stateless API of every operator: checks the arguments, chooses a backend, calls the operator."""

from lrcn_fast.functional.conv_frames import conv_frames
from lrcn_fast.functional.frames_to_input import frames_to_input
from lrcn_fast.functional.linear_cross_entropy import linear_cross_entropy
from lrcn_fast.functional.lstm import lstm, lstm_cell
from lrcn_fast.functional.relu_max_pool_lrn import relu_max_pool_lrn

__all__ = [
    "conv_frames",
    "frames_to_input",
    "linear_cross_entropy",
    "lstm",
    "lstm_cell",
    "relu_max_pool_lrn",
]
