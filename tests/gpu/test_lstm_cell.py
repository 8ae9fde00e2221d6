"""The pointwise cell on the GPU against its definition."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

OPS = torch.ops.lrcn_fast
# The last has more rows than a grid has blocks in y.
SHAPES = [(1, 1), (3, 5), (0, 4), (2, 33), (70, 64), (24, 1000), (100, 1024), (65_537 * 8, 3)]


def draw(*shape: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, device=device).to(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("with_state", [False, True])
def test_forward(
    shape: tuple[int, int], with_state: bool, dtype: torch.dtype, device: torch.device
) -> None:
    B, H = shape
    gates = 3 * draw(B, 4 * H, dtype=dtype, device=device)
    c0 = draw(B, H, dtype=dtype, device=device) if with_state else None
    actual = OPS.lstm_cell_forward(gates, c0)
    loop = reference.lstm_cell_forward(gates, c0)
    exact = reference.lstm_cell_forward(gates.double(), None if c0 is None else c0.double())
    for name, ours, torchs, truth in zip(("h", "c", "activations"), actual, loop, exact):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("given", ["h", "c", "hc", ""])
@pytest.mark.parametrize("with_state", [False, True])
def test_backward(
    shape: tuple[int, int], with_state: bool, given: str, dtype: torch.dtype, device: torch.device
) -> None:
    B, H = shape
    c0 = draw(B, H, dtype=dtype, device=device) if with_state else None
    gates = draw(B, 4 * H, dtype=dtype, device=device)
    _, c, activations = reference.lstm_cell_forward(gates, c0)
    grad_h = draw(B, H, dtype=dtype, device=device) if "h" in given else None
    grad_c = draw(B, H, dtype=dtype, device=device) if "c" in given else None
    arguments = (grad_h, grad_c, activations, c, c0)
    actual = OPS.lstm_cell_backward(*arguments)
    loop = reference.lstm_cell_backward(*arguments)
    exact = reference.lstm_cell_backward(*(None if a is None else a.double() for a in arguments))
    for name, ours, torchs, truth in zip(("gates", "c0"), actual, loop, exact):
        assert_no_worse_than_torch(ours, torchs, truth, name)


def test_values_of_the_cpu(dtype: torch.dtype, device: torch.device) -> None:
    """Another implementation of ours, and torch's libm beside CUDA's."""
    gates = 3 * draw(37, 4 * 19, dtype=dtype, device=torch.device("cpu"))
    c0 = draw(37, 19, dtype=dtype, device=torch.device("cpu"))
    there = OPS.lstm_cell_forward(gates.to(device), c0.to(device))
    exact = reference.lstm_cell_forward(gates.double(), c0.double())
    for number, (ours, cpu, truth) in enumerate(
        zip(there, OPS.lstm_cell_forward(gates, c0), exact)
    ):
        assert_no_worse_than_torch(ours.cpu(), cpu, truth, f"result {number}")


@pytest.mark.filterwarnings("ignore:.*deterministic")
def test_memory(dtype: torch.dtype, device: torch.device) -> None:
    """Everything is written, nothing beyond is read or written."""
    gates, c0 = (draw(37, n * 19, dtype=dtype, device=device) for n in (4, 1))
    grads = draw(2, 37, 19, dtype=dtype, device=device)
    expected = [*OPS.lstm_cell_forward(gates, c0)]
    expected += OPS.lstm_cell_backward(*grads, expected[2], expected[1], c0)
    guards = Guards()
    with poisoned_memory():
        cell = guards.surround(c0)
        actual = [*OPS.lstm_cell_forward(guards.surround(gates), cell)]
        grad_h, grad_c = map(guards.surround, grads)
        actual += OPS.lstm_cell_backward(grad_h, grad_c, actual[2], actual[1], cell)
    guards.check()
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


def test_strided_arguments(dtype: torch.dtype, device: torch.device) -> None:
    gates = draw(40, 6, dtype=dtype, device=device).T
    c0 = draw(6, 20, dtype=dtype, device=device)[:, ::2]
    grad = torch.tensor(2.0, dtype=dtype, device=device).expand(6, 10)
    results = []
    for change in (Tensor.view_as, lambda tensor, _: tensor.contiguous()):
        g, c, d = (change(tensor, tensor) for tensor in (gates, c0, grad))
        forward = OPS.lstm_cell_forward(g, c)
        results.append([*forward, *OPS.lstm_cell_backward(d, d, forward[2], forward[1], c)])
    for number, (ours, theirs) in enumerate(zip(*results, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")
