"""The modules under torch.autocast on the CPU."""

import pytest
import torch

import lrcn_fast
from tests.helpers.tolerance import assert_no_worse_than_torch


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("static_size", [0, 3])
def test_outputs_have_the_autocast_dtype_and_gradients_the_parameters(
    static_size: int, dtype: torch.dtype
) -> None:
    module = lrcn_fast.LSTM(
        6, 8, num_layers=2, bidirectional=True, proj_size=5, static_size=static_size
    )
    x = torch.randn(5, 3, 6, requires_grad=True)
    static = torch.randn(3, static_size) if static_size else None
    hx = (torch.randn(4, 3, 5), torch.randn(4, 3, 8))
    with torch.autocast("cpu", dtype):
        output, (h_n, c_n), cells = module(
            x, hx, static=static, cont=torch.rand(5, 3) > 0.3,
            lengths=torch.tensor([5, 0, 2]), return_cells=True,
        )  # fmt: skip
    assert {t.dtype for t in (output, h_n, c_n, cells)} == {dtype}
    (output.float().sum() + cells.float().sum()).backward()
    assert x.grad is not None and x.grad.dtype == torch.float32 and x.grad.isfinite().all()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32, name
        assert parameter.grad.abs().sum() > 0, name


def test_values_are_those_of_the_half_module() -> None:
    module = lrcn_fast.LSTM(16, 24, num_layers=2)
    x = torch.randn(7, 3, 16)
    with torch.autocast("cpu", torch.bfloat16):
        actual = module(x)[0]
    exact_module = torch.nn.LSTM(16, 24, num_layers=2).double()
    exact_module.load_state_dict(module.state_dict())
    torchs = torch.nn.LSTM(16, 24, num_layers=2)
    torchs.load_state_dict(module.state_dict())
    theirs = torchs.bfloat16()(x.bfloat16())[0]
    assert_no_worse_than_torch(actual, theirs, exact_module(x.double())[0], "output")


def test_disabled_autocast_is_none() -> None:
    module, x = lrcn_fast.LSTM(3, 4), torch.randn(2, 1, 3)
    with torch.autocast("cpu", torch.bfloat16, enabled=False):
        assert torch.equal(module(x)[0], module(x)[0])
        assert module(x)[0].dtype == torch.float32


def test_half_input_from_the_layer_before() -> None:
    """What a Linear returns under autocast may go into an LSTM of float32 parameters."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 6), lrcn_fast.LSTM(6, 8))
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = model(torch.randn(5, 3, 6))
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert model[0].weight.grad.abs().sum() > 0


def test_cell() -> None:
    cell, x = lrcn_fast.LSTMCell(3, 4), torch.randn(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        h, c = cell(x)
        h, c = cell(x, (h, c))
    assert h.dtype == torch.bfloat16
    h.float().sum().backward()
    assert cell.weight_hh.grad.dtype == torch.float32


def test_float64_is_not_cast() -> None:
    """As torch's own rules for the CPU have it."""
    module = lrcn_fast.LSTM(3, 4, dtype=torch.float64)
    x = torch.randn(2, 1, 3, dtype=torch.float64)
    expected = module(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.nn.functional.linear(x, x[0]).dtype == torch.float64
        output = module(x)[0]
    assert torch.equal(output, expected)
