"""Numerical derivatives in float64: every input, every output, with and without each option."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.cases import Case, Tensors, build

OPS = torch.ops.lrcn_fast

ROWS = [
    Case("plain", T=3, B=2, H=3),
    Case("reverse", T=3, B=2, H=3, reverse=True, batch_first=True),
    Case("projection", T=3, B=2, H=3, P=2),
    Case("cont", T=4, B=2, H=2, cont="random", static=True),
    Case("cont_reverse", T=4, B=2, H=2, cont="random", reverse=True),
    Case("all", 4, 3, 3, 2, True, True, "random", (4, 0, 2), batch_first=True),
    Case("all_reverse", 4, 3, 3, 2, True, True, "random", (4, 0, 2), reverse=True),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("outputs", [(0,), (1,), (2,), (3,), (0, 1, 2, 3)], ids=str)
def test_forward(row: Case, outputs: tuple[int, ...]) -> None:
    tensors = build(row, torch.float64)
    inputs = {name: t.requires_grad_() for name, t in tensors.differentiable().items()}

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        leaves = Tensors(**{**vars(tensors), **dict(zip(inputs, values, strict=True))})
        results = OPS.lstm_forward(*leaves.forward_arguments(), True, True)
        return tuple(results[k] for k in outputs)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))


def test_cell() -> None:
    gates = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)
    c0 = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g, c: OPS.lstm_cell_forward(g, c)[:2], (gates, c0))
    assert torch.autograd.gradcheck(lambda g: OPS.lstm_cell_forward(g, None)[:2], (gates,))


@pytest.mark.parametrize("with_bias", [False, True])
def test_linear(with_bias: bool) -> None:
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True) if with_bias else None
    inputs = (x, weight) if bias is None else (x, weight, bias)
    assert torch.autograd.gradcheck(
        lambda *a: OPS.linear(*a) if len(a) == 3 else OPS.linear(*a, None), inputs
    )
