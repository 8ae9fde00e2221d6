"""lstm_backward of the native extension, alone and through autograd, against the loop."""

from functools import cache

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Case, build
from tests.helpers.gradients import OUTPUTS, gradients
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
GRADIENTS = ("grad_gates", "grad_h0", "grad_c0", "grad_hidden")


@cache
def loop_results(case: Case, dtype: torch.dtype) -> tuple[tuple[Tensor, ...], ...]:
    """What the loop's forward saves; its backward in the dtype and, of the same values, exact."""
    tensors = build(case, dtype)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    return (
        saved[4:2:-1],
        reference.lstm_backward(*tensors.backward_arguments(saved[4], saved[3])),
        reference.lstm_backward(
            *tensors.map(Tensor.double).backward_arguments(saved[4].double(), saved[3].double())
        ),
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, dtype: torch.dtype, isa: str) -> None:
    """From the same saved tensors, so that only the backward is judged."""
    (activations, cells), loop, exact = loop_results(case, dtype)
    actual = OPS.lstm_backward(*build(case, dtype).backward_arguments(activations, cells))
    for name, ours, torchs, truth in zip(GRADIENTS, actual, loop, exact, strict=True):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("present", range(16))
def test_missing_gradients_are_zeros(present: int, isa: str) -> None:
    case = next(row for row in CASES if row.name == "all_reverse")
    tensors = build(case, torch.float32)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    arguments = tensors.backward_arguments(saved[4], saved[3])
    given = [g if present >> k & 1 else None for k, g in enumerate(arguments[:4])]
    zeros = [g if present >> k & 1 else torch.zeros_like(g) for k, g in enumerate(arguments[:4])]
    actual = OPS.lstm_backward(*given, *arguments[4:])
    expected = OPS.lstm_backward(*zeros, *arguments[4:])
    for name, ours, theirs in zip(GRADIENTS, actual, expected, strict=True):
        assert_bitwise_equal(ours, theirs, name)


def test_garbage_past_the_length_reaches_nothing(isa: str) -> None:
    case = next(row for row in CASES if row.name == "all")
    tensors = build(case, torch.float32)
    saved = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    clean = OPS.lstm_backward(*tensors.backward_arguments(saved[4], saved[3]))
    for row, length in enumerate(case.lengths or ()):
        for name in ("gates", "grad_output", "grad_cells"):
            getattr(tensors, name)[row, length:] = float("nan")
    again = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    for number, (ours, theirs) in enumerate(zip(again, saved, strict=True)):
        assert_bitwise_equal(ours, theirs, f"forward output {number}")
    actual = OPS.lstm_backward(*tensors.backward_arguments(saved[4], saved[3]))
    for name, ours, theirs in zip(GRADIENTS, actual, clean, strict=True):
        assert_bitwise_equal(ours, theirs, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_autograd_of_all_outputs(case: Case, dtype: torch.dtype) -> None:
    """End to end: every input, weight and state receives the gradient of the loop."""
    tensors = build(case, dtype)
    actual = gradients(OPS.lstm_forward, tensors, OUTPUTS)
    loop = gradients(reference.lstm_forward, tensors, OUTPUTS)
    exact = gradients(reference.lstm_forward, tensors.map(Tensor.double), OUTPUTS)
    for name, ours in actual.items():
        assert_no_worse_than_torch(ours, loop[name], exact[name], name)


@pytest.mark.parametrize("name", ["all", "all_reverse", "plain"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_autograd_of_one_output(output: str, name: str, isa: str) -> None:
    tensors = build(next(row for row in CASES if row.name == name), torch.float64)
    actual = gradients(OPS.lstm_forward, tensors, (output,))
    exact = gradients(reference.lstm_forward, tensors, (output,))
    for key, ours in actual.items():
        assert_no_worse_than_torch(ours, exact[key], exact[key], key)


@pytest.mark.parametrize("wanted", ["gates", "weight_hh", "weight_hr", "static_gates", "h0", "c0"])
def test_only_the_wanted_gradient(wanted: str) -> None:
    """One input requiring a gradient gets the same one as when all do."""
    case = next(row for row in CASES if row.name == "all")
    tensors = build(case, torch.float64)
    full = gradients(OPS.lstm_forward, tensors, OUTPUTS)
    leaf = getattr(tensors, wanted).requires_grad_()
    results = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    weights = [getattr(tensors, f"grad_{name}") for name in OUTPUTS]
    (actual,) = torch.autograd.grad(results[:4], leaf, weights)
    assert_bitwise_equal(actual, full[wanted], wanted)


def test_nothing_is_recorded_without_gradients() -> None:
    tensors = build(CASES[0], torch.float32)
    tensors.gates.requires_grad_()
    with torch.no_grad():
        output = OPS.lstm_forward(*tensors.forward_arguments(), False, False)[0]
    assert not output.requires_grad
