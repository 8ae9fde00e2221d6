"""Sums over time in pieces of a fixed number of rows, so that windows of time form the same sums.

A gradient of a weight adds up all T*B rows. Where the whole sequence is there, and where it comes
window by window (``lstm_windows``), the same pieces are added in the same order.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["PIECE_ROWS", "piece_steps", "pieces", "row_cuts", "step_cuts", "without_first_step"]

# A product of so many rows is as fast as one of all of them.
PIECE_ROWS = 1024
# The library computes a row in the same way wherever it lies among multiples of this.
_ALIGNED_STEPS = 16


def piece_steps(batch: int, like: Tensor) -> int:
    """Return how many steps of ``batch`` rows a piece has; 0 where all are summed at once.

    Half types would round every piece, and a GPU's library promises no order anyway.
    """
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
        return 0
    steps = -(-PIECE_ROWS // max(batch, 1))
    return -(-steps // _ALIGNED_STEPS) * _ALIGNED_STEPS


def step_cuts(steps: int, size: int) -> list[int]:
    """Return where pieces of ``size`` begin, and ``steps``; the last piece has the remainder too.

    A remainder of its own might be so short that the library takes another way.
    """
    count = max(1, steps // size) if size else 1
    return [*(n * size for n in range(count)), steps]


def row_cuts(steps: int, batch: int, like: Tensor) -> list[int]:
    """Return the cuts of the rows (T*B, ..) of a sequence (T, B, ..); a traced graph has none."""
    size = piece_steps(batch, like) if type(like) is Tensor else 0
    return [cut * batch for cut in step_cuts(steps, size)]


def without_first_step(cuts: list[int], batch: int, reverse: bool) -> list[int]:
    """Return the cuts of the rows less the step that a scan takes first."""
    if reverse:
        return [*cuts[:-1], cuts[-1] - batch]
    return [0, *(cut - batch for cut in cuts[1:])]


def pieces(rows: Tensor, cuts: Sequence[int], ascending: bool) -> list[Tensor]:
    """Return the pieces of rows (N, ..) in the order in which the backward of a scan meets them."""
    if len(cuts) <= 2:
        return [rows]
    found = [rows[begin:end] for begin, end in itertools.pairwise(cuts)]
    return found if ascending else found[::-1]
