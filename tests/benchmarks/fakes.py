"""Implementations with known faults, and a small result, for the tests of the benchmarks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers import TORCH, Peer
from benchmarks.run import run
from benchmarks.shapes import Case, Shape, cases

TINY = Shape("tiny", 3, 2, 5, 4, num_layers=2, bidirectional=True)
TINY_STEP = Shape("tiny-step", 1, 2, 5, 4)
TINY_CELL = Shape("tiny-cell", 1, 2, 5, 4, cell=True)
TINY_CASES = (
    Case(TINY, "inference"),
    Case(TINY, "training"),
    Case(TINY_STEP, "step"),
    Case(TINY_CELL, "step"),
)

EQUAL = Peer("lrcn_fast", nn.LSTM, nn.LSTMCell)


class _WrongGradient(torch.autograd.Function):
    """The identity, whose gradient is one percent too large."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 1.01


class ScaledOutput(nn.LSTM):
    """Right but for the last digits that matter."""

    def forward(self, *arguments: Any) -> Any:
        output, state = super().forward(*arguments)
        return output * (1 + 1e-4), state


class NaNState(nn.LSTM):
    """Right output, unusable cell state."""

    def forward(self, *arguments: Any) -> Any:
        output, (h_n, c_n) = super().forward(*arguments)
        return output, (h_n, c_n * float("nan"))


class WrongGradient(nn.LSTM):
    """Right results, wrong gradients."""

    def forward(self, x: Tensor, *arguments: Any) -> Any:
        output, state = super().forward(x, *arguments)
        return _WrongGradient.apply(output), state


class Failing(nn.LSTM):
    """Refuses every input."""

    def forward(self, *arguments: Any) -> Any:
        raise RuntimeError("no kernel for this shape")


def peer(lstm: type[nn.LSTM]) -> Peer:
    """lrcn_fast's stand-in with this LSTM."""
    return Peer("lrcn_fast", lstm, TORCH.cell)


def tiny_result(lstm: type[nn.LSTM] = nn.LSTM) -> dict[str, Any]:
    """A quick run over the tiny cases."""
    return run(TINY_CASES, peer(lstm), threads=1, quick=True)


def whole_result(
    ratio: float, dtype: str = "float32", threads: int = 2, share: float = 0.01, **others: float
) -> dict[str, Any]:
    """All rows as if lrcn_fast were ``ratio`` times as fast as torch, but for rows named.

    torch reaches ``share`` of the peak.
    """
    result = tiny_result()
    template = next(row for row in result["rows"] if row["mode"] == "inference")
    rows = []
    for case in cases():
        found = others.get(case.name.replace("-", "_"), ratio)
        row = {**template, "case": case.name, "name": case.title, "mode": case.mode}
        row |= {"label": case.label, "shape": asdict(case.shape), "input_grad": case.input_grad}
        row["ratio"] = dict.fromkeys(("low", "median", "high"), found)
        row["peers"], row["share_of_peak"] = {}, {"torch": share, "lrcn_fast": share * found}
        rows.append(row)
    result["machine"]["threads"] = threads
    result["settings"]["dtype"] = dtype
    return {**result, "rows": rows}
