"""lstm_backward on the GPU, alone and through autograd, against the loop in float64."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.gpu import cudnn
from tests.gpu.operators import ROWS, build_on, named, operator
from tests.helpers.cases import Case
from tests.helpers.gradients import OUTPUTS, gradients
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

GRADIENTS = ("grad_gates", "grad_h0", "grad_c0", "grad_hidden")


@lru_cache(maxsize=len(ROWS))
def loop_results(case: Case, dtype: torch.dtype, device: torch.device) -> tuple[Any, ...]:
    """What the loop's forward saves; its backward in the dtype and, of the same values, exact."""
    tensors = build_on(device, case, dtype)
    *_, cells, activations = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    exact = tensors.map(Tensor.double)
    return (
        (activations, cells),
        reference.lstm_backward(*tensors.backward_arguments(activations, cells)),
        reference.lstm_backward(*exact.backward_arguments(activations.double(), cells.double())),
    )


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case(case: Case, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    """From the same saved tensors, so that only the backward is judged."""
    backward = operator("lstm_backward", backend, device, dtype, case)
    saved, loop, exact = loop_results(case, dtype, device)
    actual = backward(*build_on(device, case, dtype).backward_arguments(*saved))
    for name, ours, torchs, truth in zip(GRADIENTS, actual, loop, exact, strict=True):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@lru_cache(maxsize=len(ROWS))
def oracles(
    case: Case,
    dtype: torch.dtype,
    device: torch.device,
    theirs: Callable[..., Any],
    outputs: tuple[str, ...],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Torch's gradients in the dtype, and the float64 values."""
    tensors = build_on(device, case, dtype)
    exact = gradients(reference.lstm_forward, tensors.map(Tensor.double), outputs)
    return gradients(theirs, tensors, outputs), exact


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_autograd(case: Case, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    """End to end: every input, weight and state receives the gradient of the loop."""
    forward = operator("lstm_forward", backend, device, dtype, case)
    actual = gradients(forward, build_on(device, case, dtype), OUTPUTS)
    loop, exact = oracles(case, dtype, device, reference.lstm_forward, OUTPUTS)
    for name, ours in actual.items():
        assert_no_worse_than_torch(ours, loop[name], exact[name], name)


@pytest.mark.parametrize("case", list(filter(cudnn.can_express, ROWS)), ids=str)
def test_autograd_against_cudnn(
    case: Case, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    outputs = OUTPUTS[:3]
    forward = operator("lstm_forward", backend, device, dtype, case)
    actual = gradients(forward, build_on(device, case, dtype), outputs)
    theirs, exact = oracles(case, dtype, device, cudnn.lstm, outputs)
    for name, ours in actual.items():
        assert_no_worse_than_torch(ours, theirs[name], exact[name], name)


@pytest.mark.parametrize("present", range(16))
def test_missing_gradients_are_zeros(present: int, backend: str, device: torch.device) -> None:
    case = named("all_reverse")
    backward = operator("lstm_backward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    *_, cells, activations = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    arguments = tensors.backward_arguments(activations, cells)
    given = [g if present >> k & 1 else None for k, g in enumerate(arguments[:4])]
    zeros = [g if present >> k & 1 else torch.zeros_like(g) for k, g in enumerate(arguments[:4])]
    actual = backward(*given, *arguments[4:])
    expected = backward(*zeros, *arguments[4:])
    for name, ours, theirs in zip(GRADIENTS, actual, expected, strict=True):
        assert_bitwise_equal(ours, theirs, name)
