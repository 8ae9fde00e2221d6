"""opcheck, the pointwise cell, and refusals."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, build
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops.test_lstm_errors import BAD, ERRORS, problem

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("name", ["everything_one", "no_stream", "projection_one", "lengths_short"])
def test_opcheck(name: str) -> None:
    tensors = build(next(row for row in CASES if row.name == name), torch.float32)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    arguments = tensors.backward_arguments(saved[4], saved[3])
    torch.library.opcheck(OPS.lstm_backward_triton.default, arguments)
    for tensor in tensors.differentiable().values():
        tensor.requires_grad_()
    arguments = (*tensors.forward_arguments(), True, True)
    torch.library.opcheck(OPS.lstm_forward_triton.default, arguments)


@pytest.mark.parametrize("with_state", [False, True])
def test_opcheck_of_the_cell(with_state: bool) -> None:
    gates = torch.randn(3, 20, requires_grad=True)
    c0 = torch.randn(3, 5, requires_grad=True) if with_state else None
    torch.library.opcheck(OPS.lstm_cell_forward_triton.default, (gates, c0))
    with torch.no_grad():
        h, c, activations = OPS.lstm_cell_forward_triton(gates, c0)
    plain = None if c0 is None else c0.detach()
    arguments = (None if with_state else h, c, activations, c, plain)
    torch.library.opcheck(OPS.lstm_cell_backward_triton.default, arguments)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (0, 4), (17, 33)], ids=str)
@pytest.mark.parametrize("given", ["hc0", "h", "c0", ""])
def test_cell(given: str, shape: tuple[int, int], dtype: torch.dtype) -> None:
    def draw(*size: int) -> Tensor:
        return torch.randn(*size, dtype=torch.float64).to(dtype)

    B, H = shape
    c0 = draw(B, H) if "0" in given else None
    gates = 3 * draw(B, 4 * H)
    saved = reference.lstm_cell_forward(gates, c0)
    grads = [draw(B, H) if letter in given else None for letter in "hc"]
    arguments = (*grads, saved[2], saved[1], c0)
    guards = Guards()

    def guarded(*tensors: Tensor | None) -> list[Tensor | None]:
        return [None if t is None else guards.surround(t) for t in tensors]

    with poisoned_memory():
        actual = OPS.lstm_cell_forward_triton(*guarded(gates, c0))
        found = OPS.lstm_cell_backward_triton(*guarded(*arguments))
    guards.check()
    exact = reference.lstm_cell_forward(gates.double(), None if c0 is None else c0.double())
    for name, *three in zip(("h", "c", "activations"), actual, saved, exact, strict=True):
        assert_no_worse_than_torch(*three, name)
    loop = reference.lstm_cell_backward(*arguments)
    exact = reference.lstm_cell_backward(*(None if a is None else a.double() for a in arguments))
    for name, *three in zip(("grad_gates", "grad_c0"), found, loop, exact, strict=True):
        assert_no_worse_than_torch(*three, name)


def test_strided_cell() -> None:
    gates, c0 = torch.randn(40, 6).T, torch.randn(6, 20)[:, ::2]
    grad = torch.tensor(2.0).expand(6, 10)
    actual = OPS.lstm_cell_forward_triton(gates, c0)
    expected = OPS.lstm_cell_forward_triton(gates.contiguous(), c0.contiguous())
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    actual = OPS.lstm_cell_backward_triton(grad, grad, actual[2], actual[1], c0)
    dense = (grad.contiguous(), grad.contiguous(), expected[2], expected[1], c0.contiguous())
    expected = OPS.lstm_cell_backward_triton(*dense)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name, change", BAD.values(), ids=list(BAD))
def test_bad_forward(name: str, change: Any) -> None:
    arguments = problem(**{name: change}).forward_arguments()
    with pytest.raises(ERRORS, match=f"lstm_forward_triton.*{name}"):
        OPS.lstm_forward_triton(*arguments, True, True)


@pytest.mark.parametrize(
    "name",
    ["grad_output", "grad_h_n", "grad_c_n", "grad_cells", "activations", "cells", "c0", "lengths"],
)
@pytest.mark.parametrize("fault", ["rank", "dtype"])
def test_bad_backward(name: str, fault: str) -> None:
    tensors = problem()
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    names = "grad_output grad_h_n grad_c_n grad_cells activations cells weight_hh weight_hr c0 cont"
    arguments = list(tensors.backward_arguments(saved[4], saved[3]))
    index = [*names.split(), "lengths"].index(name)
    value = arguments[index]
    assert isinstance(value, Tensor)
    arguments[index] = value[..., None] if fault == "rank" else value.to(torch.int16)
    with pytest.raises(ERRORS, match=name):
        OPS.lstm_backward_triton(*arguments)


def test_bad_sizes() -> None:
    tensors = problem()
    arguments = tensors.forward_arguments()
    with pytest.raises(ValueError, match="gates.*at least one step"):
        OPS.lstm_forward_triton(tensors.gates[:0], *arguments[1:], False, False)
    with pytest.raises(ValueError, match="gates"):
        OPS.lstm_forward_triton(tensors.gates[0], *arguments[1:], False, False)
    with pytest.raises(TypeError, match=re.compile("gates.*float64")):
        OPS.lstm_forward_triton(tensors.gates.double(), *arguments[1:], False, False)
    with pytest.raises(ValueError, match="activations"):
        OPS.lstm_backward_triton(*tensors.backward_arguments(torch.empty(0), torch.empty(0)))
    with pytest.raises(ValueError, match="c0"):
        OPS.lstm_cell_forward_triton(torch.zeros(3, 8), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="gates"):
        OPS.lstm_cell_forward_triton(torch.zeros(3, 6), None)
    with pytest.raises(ValueError, match="grad_h"):
        OPS.lstm_cell_backward_triton(
            torch.zeros(3, 5), None, torch.zeros(3, 8), torch.zeros(3, 2), None
        )
