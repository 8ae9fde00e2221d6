"""Numerical derivatives in float64: every input, every output, with and without each option."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._pytree import tree_leaves

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import Case, Tensors, build
from tests.helpers.tolerance import assert_equal_to_oracle

OPS = torch.ops.lrcn_fast
MODES = ("check_forward_ad", "check_batched_grad", "check_batched_forward_grad")
EVERYTHING = dict.fromkeys(MODES, True)

ROWS = [
    Case("plain", T=3, B=2, H=3),
    Case("reverse", T=3, B=2, H=3, reverse=True, batch_first=True),
    Case("projection", T=3, B=2, H=3, P=2),
    Case("cont", T=4, B=2, H=2, cont="random", static=True),
    Case("cont_reverse", T=4, B=2, H=2, cont="random", reverse=True),
    Case("all", 4, 3, 3, 2, True, True, "random", (4, 0, 2), batch_first=True),
    Case("all_reverse", 4, 3, 3, 2, True, True, "random", (4, 0, 2), reverse=True),
]


ALL = (0, 1, 2, 3, 4)


def problem(row: Case, outputs: tuple[int, ...], suffix: str = "") -> tuple[Any, list[Tensor]]:
    """Some results of an operator as a function of its differentiable inputs, and these."""
    tensors = build(row, torch.float64)
    inputs = {name: t.requires_grad_() for name, t in tensors.differentiable().items()}
    operator = getattr(OPS, f"lstm_forward{suffix}")

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        leaves = Tensors(**{**vars(tensors), **dict(zip(inputs, values, strict=True))})
        results = operator(*leaves.forward_arguments(), True, True)
        return tuple(results[k] for k in outputs)

    return run, list(inputs.values())


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("outputs", [(0,), (1,), (2,), (3,), (4,), ALL], ids=str)
def test_forward(row: Case, outputs: tuple[int, ...]) -> None:
    assert gradcheck(*problem(row, outputs))


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_further_derivatives(row: Case, suffix: str) -> None:
    """Forward mode, second derivatives in both modes, and all of them in batches."""
    run, inputs = problem(row, ALL, suffix)
    fast = {"fast_mode": True}
    assert gradcheck(run, inputs, check_forward_ad=True, **fast)
    assert gradgradcheck(run, inputs, check_fwd_over_rev=True, **fast)
    for outputs in ((0,), (1,), (2,), (3,)):
        assert gradgradcheck(*problem(row, outputs, suffix), **fast)
    run, inputs = problem(row, (0,), suffix)
    assert gradcheck(run, inputs, **EVERYTHING)


def test_cell() -> None:
    gates = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)
    c0 = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    for run, inputs in (
        (OPS.lstm_cell_forward, (gates, c0)),
        (lambda gates: OPS.lstm_cell_forward(gates, None), (gates,)),
    ):
        assert gradcheck(run, inputs, **EVERYTHING)
        assert gradgradcheck(run, inputs, check_fwd_over_rev=True)
        for output in range(3):
            assert gradgradcheck(lambda *x, n=output, run=run: run(*x)[n], inputs)


@pytest.mark.parametrize("with_bias", [False, True])
def test_linear(with_bias: bool) -> None:
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True) if with_bias else None
    inputs = (x, weight) if bias is None else (x, weight, bias)

    def run(*arguments: Tensor) -> Tensor:
        return OPS.linear(*arguments, *[None] * (not with_bias))

    assert gradcheck(run, inputs, **EVERYTHING)
    assert gradgradcheck(run, inputs, check_fwd_over_rev=True)


def test_step_in_forward_mode() -> None:
    """It has no gradient; forward mode differentiates its definition."""
    shapes = ((4, 3), (4, 3), (12, 3), (2, 5), (12, 5))
    h, c, weight_hh, x, weight_ih = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    parents = torch.tensor([3, -1])

    def run(operator: Any, h: Tensor, c: Tensor, x: Tensor) -> Any:
        return operator(h, c, parents, weight_hh, x, weight_ih)

    primals, tangents = (h, c, x), (h.cos(), c.cos(), x.cos())
    ours = torch.func.jvp(partial(run, OPS.lstm_step), primals, tangents)
    exact = torch.func.jvp(partial(run, reference.lstm_step), primals, tangents)
    for pair in zip(tree_leaves(ours), tree_leaves(exact), strict=True):
        assert_equal_to_oracle(*pair, "lstm_step")
