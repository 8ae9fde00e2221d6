"""Random calls of ``functional.lstm`` as functions of their tensors, beside the oracle's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._pytree import tree_leaves

import lrcn_fast
from lrcn_fast import reference
from tests.helpers.modules import Layout

Inputs = dict[str, Tensor]
Function = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Problem:
    """A call: its sizes, options and float64 tensors.

    Attributes:
        layout: options of the module.
        inputs: what the call is a function of: x, the parameters, hx and static where it has them.
        others: arguments without a gradient.
        recompute_every: the oracle has no such option.
    """

    layout: Layout
    inputs: Inputs
    others: dict[str, Any]
    recompute_every: int | None

    def ours(self, inputs: Inputs) -> Tensor:
        """All results of ``functional.lstm`` in a row."""
        more = {"recompute_every": self.recompute_every}
        return self._call(lrcn_fast.functional.lstm, inputs, more)

    def oracle(self, inputs: Inputs) -> Tensor:
        """All results of the definition in a row."""
        return self._call(reference.lstm, inputs, {})

    def _call(self, lstm: Callable[..., Any], inputs: Inputs, more: dict[str, Any]) -> Tensor:
        rest = dict(inputs)
        x, h0, c0, static = (rest.pop(name, None) for name in ("x", "h0", "c0", "static"))
        hx = None if h0 is None else (h0, c0)
        options = {**self.layout.oracle_arguments(), **self.others, **more}
        results = lstm(x, hx, list(rest.values()), static=static, **options)
        return torch.cat([result.flatten() for result in tree_leaves(results)])

    def directions(self, seed: int = 1) -> Inputs:
        """Random tangents of the inputs."""
        generator = torch.Generator().manual_seed(seed)
        return {
            name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
            for name, value in self.inputs.items()
        }


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Any small call, with and without each option."""
    hidden = draw(st.integers(2, 3))
    layout = Layout(
        input_size=2,
        hidden_size=hidden,
        num_layers=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        proj_size=draw(st.sampled_from([0, 0, 1])),
    )
    T, B = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    flags = {name: draw(st.booleans()) for name in ("hx", "cont", "lengths", "static", "cells")}
    static_size = 2 if flags["static"] else 0
    module = lrcn_fast.LSTM(**layout.arguments(), static_size=static_size, dtype=torch.float64)
    inputs = {"x": layout.sequence(T, B)}
    if flags["hx"]:
        inputs["h0"], inputs["c0"] = layout.state(B)
    if flags["static"]:
        inputs["static"] = torch.randn(B, static_size, dtype=torch.float64)
    inputs |= {str(n): value.detach() for n, value in enumerate(module._params())}
    others: dict[str, Any] = {"return_cells": flags["cells"]}
    if flags["cont"]:
        others["cont"] = torch.rand((B, T) if layout.batch_first else (T, B)) > 0.4
    if flags["lengths"]:
        others["lengths"] = torch.randint(0, T + 1, (B,))
    return Problem(layout, inputs, others, draw(st.sampled_from([None, 1, 2])))


def weighted(function: Function) -> Function:
    """A scalar of a function's results, of which no derivative vanishes."""

    def scalar(inputs: Inputs) -> Tensor:
        results = function(inputs)
        weights = torch.linspace(-1, 2, results.numel(), dtype=results.dtype)
        return (weights * results.sin()).sum()

    return scalar
