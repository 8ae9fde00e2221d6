"""Which operator of ``torch.ops.lrcn_fast`` becomes what in ONNX."""

from collections.abc import Callable
from typing import Any

import torch

from lrcn_fast.export import _cell, _frames, _lstm, _maps, _scan
from lrcn_fast.export._nodes import recorded

__all__ = ["translations"]

_TRANSLATIONS = (
    _scan.linear,
    _lstm.lstm_forward,
    _lstm.lstm_scans_forward,
    _cell.lstm_cell_forward,
    _frames.frames_to_input,
    _maps.relu_max_pool_lrn_forward,
)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return the table that torch takes: the operators of every backend."""
    table: dict[Callable[..., Any], Callable[..., Any]] = {}
    for translation in _TRANSLATIONS:
        for suffix in ("", "_triton", "_reference"):
            operator = getattr(torch.ops.lrcn_fast, translation.__name__ + suffix, None)
            if operator is not None:
                table[operator.default] = recorded(translation)
    return table
