"""Single steps in inference: few rows take the operator of decoding steps, and agree with torch."""

import copy

import pytest
import torch
from torch import Tensor

import lrcn_fast
from tests.helpers.tolerance import (
    assert_bitwise_equal,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 8, 9])
def test_error_against_torch(rows: int, bias: bool, dtype: torch.dtype, isa: str) -> None:
    theirs = torch.nn.LSTM(37, 45, 2, bias).to(dtype)
    ours = lrcn_fast.LSTM(37, 45, 2, bias, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    exact_lstm = copy.deepcopy(theirs).double()
    x, h0, c0 = torch.randn(1, rows, 37), torch.randn(2, rows, 45), torch.randn(2, rows, 45)
    x, h0, c0 = x.to(dtype), h0.to(dtype), c0.to(dtype)

    def results(module: torch.nn.Module, *inputs: Tensor) -> list[Tensor]:
        output, (h, c) = module(inputs[0], inputs[1:])
        return [output, h, c]

    with torch.no_grad():
        exact = results(exact_lstm, x.double(), h0.double(), c0.double())
        for three in zip(results(ours, x, h0, c0), results(theirs, x, h0, c0), exact, strict=True):
            assert_no_worse_than_torch(*three, "result")


def test_static_input_and_resets_are_those_of_two_steps() -> None:
    ours = lrcn_fast.LSTM(6, 11, static_size=3, dtype=torch.float64)
    x, static = torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    state = (torch.randn(1, 4, 11, dtype=torch.float64), torch.randn(1, 4, 11, dtype=torch.float64))
    cont = torch.tensor([[True, False, True, False], [False, True, True, False]])
    with torch.no_grad():
        expected, _ = ours(x, state, cont=cont, static=static)
        for t in range(2):
            step = slice(t, t + 1)
            output, state = ours(x[step], state, cont=cont[step], static=static)
            assert_no_worse_than_torch(output, expected[step], expected[step], f"step {t}")


def test_weights_are_read_at_each_step_and_threads_change_no_bit() -> None:
    cell = lrcn_fast.LSTMCell(70, 90)
    x, state = torch.randn(5, 70), (torch.randn(5, 90), torch.randn(5, 90))
    before = torch.get_num_threads()
    with torch.no_grad():
        first = cell(x, state)
        try:
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                for ours, theirs in zip(cell(x, state), first, strict=True):
                    assert_bitwise_equal(ours, theirs, f"{threads} threads")
        finally:
            torch.set_num_threads(before)
        cell.weight_hh.data.zero_()
        assert not torch.equal(cell(x, state)[0], first[0])


def test_map_over_inputs() -> None:
    cell = lrcn_fast.LSTMCell(6, 11, dtype=torch.float64)
    x, h, c = (torch.randn(3, 2, size, dtype=torch.float64) for size in (6, 11, 11))
    with torch.no_grad():
        mapped = torch.vmap(lambda *inputs: cell(inputs[0], inputs[1:]))(x, h, c)
        for n in range(3):
            for ours, theirs in zip(mapped, cell(x[n], (h[n], c[n])), strict=True):
                assert_equal_to_oracle(ours[n], theirs, f"element {n}")
