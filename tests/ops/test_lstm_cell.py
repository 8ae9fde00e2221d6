"""The pointwise cell of the native extension against its definition."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SHAPES = [(1, 1), (3, 5), (0, 4), (2, 33), (17, 8), (70, 64)]


def draw(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("with_state", [False, True])
def test_forward(shape: tuple[int, int], with_state: bool, dtype: torch.dtype, isa: str) -> None:
    B, H = shape
    gates = 3 * draw(B, 4 * H, dtype=dtype)
    c0 = draw(B, H, dtype=dtype) if with_state else None
    actual = OPS.lstm_cell_forward(gates, c0)
    loop = reference.lstm_cell_forward(gates, c0)
    exact = reference.lstm_cell_forward(gates.double(), None if c0 is None else c0.double())
    for name, ours, torchs, truth in zip(("h", "c", "activations"), actual, loop, exact):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("given", ["h", "c", "hc", ""])
@pytest.mark.parametrize("with_state", [False, True])
def test_backward(
    shape: tuple[int, int], with_state: bool, given: str, dtype: torch.dtype, isa: str
) -> None:
    B, H = shape
    c0 = draw(B, H, dtype=dtype) if with_state else None
    _, c, activations = reference.lstm_cell_forward(draw(B, 4 * H, dtype=dtype), c0)
    grad_h = draw(B, H, dtype=dtype) if "h" in given else None
    grad_c = draw(B, H, dtype=dtype) if "c" in given else None
    arguments = (grad_h, grad_c, activations, c, c0)
    actual = OPS.lstm_cell_backward(*arguments)
    loop = reference.lstm_cell_backward(*arguments)
    exact = reference.lstm_cell_backward(*(None if a is None else a.double() for a in arguments))
    for name, ours, torchs, truth in zip(("gates", "c0"), actual, loop, exact):
        assert_no_worse_than_torch(ours, torchs, truth, name)


def test_autograd_against_torch() -> None:
    cell = torch.nn.LSTMCell(6, 5).double()
    x = draw(4, 6, dtype=torch.float64)
    h0 = draw(4, 5, dtype=torch.float64)
    c0 = draw(4, 5, dtype=torch.float64).requires_grad_()
    gates = (x @ cell.weight_ih.T + cell.bias_ih + h0 @ cell.weight_hh.T + cell.bias_hh).detach()
    gates.requires_grad_()
    h, c, activations = OPS.lstm_cell_forward(gates, c0)
    grads = torch.autograd.grad((h.sin() + c.cos()).sum(), (gates, c0))
    h, c, _ = reference.lstm_cell_forward(gates, c0)
    expected = torch.autograd.grad((h.sin() + c.cos()).sum(), (gates, c0))
    for name, ours, theirs in zip(("gates", "c0"), grads, expected):
        assert_no_worse_than_torch(ours, theirs, theirs, name)
    assert activations.shape == (4, 20)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_memory_and_threads(dtype: torch.dtype, isa: str) -> None:
    gates, c0 = draw(37, 4 * 19, dtype=dtype), draw(37, 19, dtype=dtype)
    grads = draw(2, 37, 19, dtype=dtype)
    torch.set_num_threads(1)
    expected = [*OPS.lstm_cell_forward(gates, c0)]
    expected += OPS.lstm_cell_backward(*grads, expected[2], expected[1], c0)
    guards = Guards()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        with poisoned_memory():
            cell = guards.surround(c0)
            actual = [*OPS.lstm_cell_forward(guards.surround(gates), cell)]
            actual += OPS.lstm_cell_backward(
                guards.surround(grads[0]), guards.surround(grads[1]), actual[2], actual[1], cell
            )
        guards.check()
        for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
            assert_bitwise_equal(ours, theirs, f"{threads} threads, result {number}")


def test_strided_arguments(isa: str) -> None:
    gates = draw(40, 6, dtype=torch.float32).T
    c0 = draw(6, 20, dtype=torch.float32)[:, ::2]
    grad = torch.tensor(2.0).expand(6, 10)
    actual = [*OPS.lstm_cell_forward(gates, c0)]
    actual += OPS.lstm_cell_backward(grad, grad, actual[2], actual[1], c0)
    expected = [*OPS.lstm_cell_forward(gates.contiguous(), c0.contiguous())]
    expected += OPS.lstm_cell_backward(
        grad.contiguous(), grad.contiguous(), expected[2], expected[1], c0.contiguous()
    )
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")
