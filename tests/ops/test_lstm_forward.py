"""lstm_forward of the native extension against the loop, on every instruction set and dtype."""

from functools import cache

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Case, build
from tests.helpers.tolerance import (
    assert_bitwise_equal,
    assert_mean_error_no_worse_than_torch,
    assert_no_worse_than_torch,
)

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
OUTPUTS = ("output", "h_n", "c_n", "cells", "activations")


@cache
def loop_results(case: Case, dtype: torch.dtype) -> tuple[tuple[torch.Tensor, ...], ...]:
    """The loop in the dtype and, of the same values, in float64."""
    tensors = build(case, dtype)
    exact_tensors = tensors.map(torch.Tensor.double)
    return (
        reference.lstm_forward(*tensors.forward_arguments(), True, True),
        reference.lstm_forward(*exact_tensors.forward_arguments(), True, True),
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, dtype: torch.dtype, isa: str) -> None:
    actual = OPS.lstm_forward(*build(case, dtype).forward_arguments(), True, True)
    loop, exact = loop_results(case, dtype)
    for name, ours, torchs, truth in zip(OUTPUTS, actual, loop, exact, strict=True):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("streams", [1, 2, 16])
def test_mean_error_at_the_papers_width(streams: int, dtype: torch.dtype, isa: str) -> None:
    """256 units: sums that are long enough for their order to show."""
    case = Case("paper", T=6, B=streams, H=256)
    actual = OPS.lstm_forward(*build(case, dtype).forward_arguments(), True, True)
    loop, exact = loop_results(case, dtype)
    for name, *three in zip(OUTPUTS, actual, loop, exact, strict=True):
        assert_mean_error_no_worse_than_torch(*three, name)


def test_more_steps_than_cudnn_takes() -> None:
    """T > 65535 in one call is the same as two calls with the state carried over."""
    steps, split = 70_000, 40_000
    gates, weight = torch.randn(steps, 1, 8), torch.randn(8, 2)
    flags = (None, None, False, False, False, False)
    whole = OPS.lstm_forward(gates, weight, None, None, None, None, *flags)
    first = OPS.lstm_forward(gates[:split], weight, None, None, None, None, *flags)
    second = OPS.lstm_forward(gates[split:], weight, None, None, first[1], first[2], *flags)
    assert_bitwise_equal(whole[0], torch.cat([first[0], second[0]]), "output")
    assert_bitwise_equal(whole[2], second[2], "c_n")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_saved_changes_nothing_else(dtype: torch.dtype, isa: str) -> None:
    case = next(row for row in CASES if row.name == "all_reverse")
    arguments = build(case, dtype).forward_arguments()
    everything = OPS.lstm_forward(*arguments, True, True)
    for save_cells in (False, True):
        for save_activations in (False, True):
            actual = OPS.lstm_forward(*arguments, save_cells, save_activations)
            for name, ours, full in zip(OUTPUTS[:3], actual, everything):
                assert_bitwise_equal(ours, full, name)
            for kept, ours, full in zip((save_cells, save_activations), actual[3:], everything[3:]):
                if kept:
                    assert_bitwise_equal(ours, full, "kept")
                else:
                    assert ours.shape == (0,)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_are_contiguous_and_share_no_memory(case: Case) -> None:
    tensors = build(case, torch.float32)
    actual = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    given = [value for value in vars(tensors).values() if isinstance(value, torch.Tensor)]
    addresses = [t.data_ptr() for t in (*actual, *given) if t.numel()]
    assert len(set(addresses)) == len(addresses)
    assert all(t.is_contiguous() for t in actual)


@pytest.mark.parametrize("magnitude", [1e2, 1e4, 3e38])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_saturated_gates_stay_finite(dtype: torch.dtype, magnitude: float, isa: str) -> None:
    gates = torch.tensor([-magnitude, magnitude, 0.0], dtype=dtype)
    gates = gates[torch.randint(3, (5, 4, 44))]
    weight = torch.randn(44, 11, dtype=dtype)
    arguments = (gates, weight, None, None, None, None, None, None, False, False, True, True)
    actual = OPS.lstm_forward(*arguments)
    exact = reference.lstm_forward(gates.double(), weight.double(), *arguments[2:])
    loop = reference.lstm_forward(*arguments)
    for name, ours, torchs, truth in zip(OUTPUTS, actual, loop, exact, strict=True):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_infinite_gates_give_the_limits(dtype: torch.dtype, isa: str) -> None:
    infinity = float("inf")
    gates = torch.tensor([infinity, -infinity, infinity, infinity], dtype=dtype)
    gates = gates.repeat_interleave(33).expand(1, 2, 132)
    h0 = torch.zeros(2, 33, dtype=dtype)
    output, _, c_n, *_ = OPS.lstm_forward(
        gates, torch.zeros(132, 33, dtype=dtype), None, None, h0, h0 + 5,
        None, None, False, False, False, False,
    )  # fmt: skip
    assert torch.equal(c_n, torch.ones_like(c_n))
    expected = torch.ones(1, 2, 33, dtype=torch.float64).tanh()
    assert_no_worse_than_torch(output, torch.ones_like(output).tanh(), expected, "output")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("gate", range(4))
def test_nan_gate_gives_nan(gate: int, dtype: torch.dtype, isa: str) -> None:
    """No activation may turn a NaN into a number, and none may spread it to other streams."""
    gates = torch.randn(3, 2, 4, 19).to(dtype)
    gates[1, 0, gate] = float("nan")
    weight = torch.randn(76, 19).to(dtype)
    c0 = torch.ones(2, 19, dtype=dtype)
    output, *_ = OPS.lstm_forward(
        gates.flatten(2), weight, None, None, None, c0, None, None, False, False, False, False
    )
    assert output[1:, 0].isnan().all()
    assert output[:, 1].isfinite().all() and output[0].isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_state_dies_where_a_sequence_starts(
    reverse: bool, dtype: torch.dtype, isa: str
) -> None:
    gates, weight = torch.randn(5, 3, 68).to(dtype), torch.randn(68, 17).to(dtype)
    cont = torch.ones(5, 3, dtype=torch.bool)
    cont[3 if reverse else 2, 0] = False
    nan = torch.full((3, 17), float("nan"), dtype=dtype)
    output, h_n, *_ = OPS.lstm_forward(
        gates, weight, None, None, nan, nan, cont, None, reverse, False, False, False
    )
    clean = slice(0, 3) if reverse else slice(2, None)
    assert output[clean, 0].isfinite().all() and h_n[0].isfinite().all()
    assert output[:, 1:].isnan().all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_instruction_sets_agree(case: Case) -> None:
    """Each is within the tolerance; this bounds the distance between any two of them."""
    from tests.helpers.native import instruction_set, isas

    tensors = build(case, torch.float32)
    results = []
    for name in isas():
        with instruction_set(name):
            results.append(OPS.lstm_forward(*tensors.forward_arguments(), True, True))
    for others in results[1:]:
        for name, ours, first in zip(OUTPUTS, others, results[0], strict=True):
            assert_no_worse_than_torch(ours, first, first.double(), name, floor_eps=16)
