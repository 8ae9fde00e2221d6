"""Accuracy of the kernels' sigmoid and tanh, which docs/numerics.md promises."""

import pytest
import torch

LIMIT = 2.0
"""Relative error allowed, in machine epsilons."""
ROUNDED_TWICE = 2.0**-9
"""The further error of a value of 17 bits that is then rounded to bfloat16, in its epsilons."""


def _activations(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """sigmoid and tanh of x (N,) as the pointwise kernel computes them."""
    _, _, activations = torch.ops.lrcn_fast.lstm_cell_forward(x.repeat(4).unsqueeze(0), None)
    gates = activations.view(4, -1)
    return gates[0], gates[2]


def _points() -> torch.Tensor:
    """Both signs, from 1e-30 to 80, dense where the formulas change."""
    small = torch.logspace(-30, 1.9, 100_001, dtype=torch.float64)
    middle = torch.linspace(-2, 2, 200_001, dtype=torch.float64)
    return torch.cat([small, -small, middle])


@pytest.mark.usefixtures("isa")
def test_float32_within_two_epsilons_of_the_exact_value() -> None:
    x = _points().float()
    exact = x.double()
    eps = torch.finfo(torch.float32).eps
    for name, actual, expected in zip(
        ("sigmoid", "tanh"), _activations(x), (exact.sigmoid(), exact.tanh())
    ):
        error = ((actual.double() - expected) / expected).abs()
        worst = int(error.argmax())
        assert error[worst] <= LIMIT * eps, f"{name}({x[worst]}): {error[worst] / eps} epsilons"


@pytest.mark.usefixtures("isa")
def test_bfloat16_sequences_round_little_more_than_once() -> None:
    """A single rounding has a relative error of half an epsilon at most."""
    x = _points().bfloat16()
    gates = x.repeat(4).view(1, 1, -1)
    weight = torch.zeros(gates.shape[2], 1, dtype=torch.bfloat16)
    projection = torch.zeros(1, x.shape[0], dtype=torch.bfloat16)
    *_, activations = torch.ops.lrcn_fast.lstm_forward(
        gates, weight, projection, None, None, None, None, None, False, False, False, True
    )
    exact = x.double()
    sigmoid, _, tanh, _ = activations.view(4, -1).double()
    for name, actual, expected in zip(
        ("sigmoid", "tanh"), (sigmoid, tanh), (exact.sigmoid(), exact.tanh()), strict=True
    ):
        error = ((actual - expected) / expected).abs() / torch.finfo(torch.bfloat16).eps
        worst = int(error.argmax())
        assert error[worst] <= 0.5 + ROUNDED_TWICE, f"{name}({x[worst]}): {error[worst]} epsilons"


@pytest.mark.usefixtures("isa")
def test_float64_within_two_epsilons_of_torch() -> None:
    # torch's own float64 functions are within one epsilon of the exact value.
    x = _points()
    eps = torch.finfo(torch.float64).eps
    for name, actual, expected in zip(
        ("sigmoid", "tanh"), _activations(x), (x.sigmoid(), x.tanh())
    ):
        error = ((actual - expected) / expected).abs()
        worst = int(error.argmax())
        assert error[worst] <= (LIMIT + 1) * eps, f"{name}({x[worst]}): {error[worst] / eps}"


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_special_values(dtype: torch.dtype) -> None:
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, 1e30, -1e30], dtype=dtype)
    sigmoid, tanh = _activations(x)
    assert sigmoid[0].isnan()
    assert tanh[0].isnan()
    assert sigmoid[1:].tolist() == [1.0, 0.0, 0.5, 1.0, 0.0]
    assert tanh[1:].tolist() == [1.0, -1.0, 0.0, 1.0, -1.0]
