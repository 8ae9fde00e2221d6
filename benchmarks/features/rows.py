"""What a row is: the same result by us and by what a user writes in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

OURS = "lrcn_fast"
TORCH = "torch"
"""The one whose error is the measure of all."""

Results = dict[str, Tensor]
Call = Callable[[], Results]


@dataclass(frozen=True)
class Problem:
    """A row's work on tensors that exist.

    Attributes:
        calls: what is timed, by implementation, ``OURS`` and ``TORCH`` among them.
        exact: the results in float64.
        least_bytes: of a call that reads its input once and writes its results once.
    """

    calls: dict[str, Call]
    exact: Results
    least_bytes: int


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: identifier that ``--filter`` matches.
        label: sizes in one short line.
        build: makes the tensors, on the CPU or on its keyword ``device``.
        least: how many times ours another's time is to be, where there is a target.
        against: which other; None for the fastest.
    """

    name: str
    label: str
    build: Callable[..., Problem]
    least: float | None = None
    against: str | None = None
