"""float32 products on the tensor cores, as torch.set_float32_matmul_precision allows them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import lrcn_fast
from lrcn_fast import reference
from tests.gpu.operators import RESULTS, SIZES, build_on, matmul_precision, operator, require
from tests.helpers.cases import Case, Tensors
from tests.helpers.gradients import OUTPUTS, gradients
from tests.helpers.tolerance import assert_no_worse_than_torch, floor_eps_of, rms_error

pytestmark = pytest.mark.gpu

# The last argument of both operators, by the precision that the user has set.
PRECISIONS = {"highest": 0, "high": 3, "medium": 1}
# The loop's precision, by the one that is judged. torch has no products of 22 bits: at "high" its
# own are of TF32, beside which ours would pass without their corrections.
LOOPS = {"highest": "highest", "high": "highest", "medium": "medium"}
# With fewer rows, cuBLAS may choose kernels without TF32 and would be no measure for it.
ENOUGH_ROWS = 128


def repeated(tensors: Tensors) -> Tensors:
    """The case with its rows repeated, for a product that is large enough for TF32."""
    times = -(-ENOUGH_ROWS // tensors.gates.shape[1])
    whole = vars(tensors)
    sequences = ("gates", "grad_output", "grad_cells")
    rows = ("h0", "c0", "grad_h_n", "grad_c_n")
    changed = {name: whole[name].repeat(1, times, 1) for name in sequences}
    return Tensors(**{**whole, **changed, **{name: whole[name].repeat(times, 1) for name in rows}})


def loop_forward(tensors: Tensors, precision: str) -> list[Tensor]:
    """The loop with torch's own products of that precision."""
    batch = tensors.gates.shape[1]
    with matmul_precision(precision):
        results = reference.lstm_forward(*repeated(tensors).forward_arguments(), True, True)
    return [result.narrow(result.dim() - 2, 0, batch) for result in results]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", SIZES, ids=str)
def test_forward(case: Case, precision: str, backend: str, device: torch.device) -> None:
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    actual = forward(*tensors.forward_arguments(), True, True, PRECISIONS[precision])
    exact = tensors.map(Tensor.double)
    truth = reference.lstm_forward(*exact.forward_arguments(), True, True)
    theirs = loop_forward(tensors, LOOPS[precision])
    floor = floor_eps_of(PRECISIONS[precision])
    for name, ours, torchs, true in zip(RESULTS, actual, theirs, truth, strict=True):
        assert_no_worse_than_torch(ours, torchs, true, name, floor)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", SIZES, ids=str)
def test_backward(case: Case, precision: str, backend: str, device: torch.device) -> None:
    backward = operator("lstm_backward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    *_, cells, activations = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    actual = backward(*tensors.backward_arguments(activations, cells), PRECISIONS[precision])
    exact = tensors.map(Tensor.double)
    truth = reference.lstm_backward(*exact.backward_arguments(activations.double(), cells.double()))
    times = -(-ENOUGH_ROWS // case.B)
    many = [tensor.repeat(1, times, 1) for tensor in (activations, cells)]
    with matmul_precision(LOOPS[precision]):
        theirs = reference.lstm_backward(*repeated(tensors).backward_arguments(*many))
    floor = floor_eps_of(PRECISIONS[precision])
    for name, ours, torchs, true in zip(("gates", "h0", "c0"), actual, theirs, truth):
        loop = torchs.narrow(torchs.dim() - 2, 0, case.B)
        assert_no_worse_than_torch(ours, loop, true, name, floor)


def test_three_products_are_far_better_than_one(backend: str, device: torch.device) -> None:
    """Three leave an error of about 2^-22 of each product, one of 2^-11."""
    case = Case("three", T=4, B=64, H=1024)
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    exact = tensors.map(Tensor.double)
    truth = reference.lstm_forward(*exact.forward_arguments(), False, False)[0]
    errors = {
        tf32: rms_error(forward(*tensors.forward_arguments(), False, False, tf32)[0], truth)
        for tf32 in PRECISIONS.values()
    }
    assert errors[3] < errors[1] / 16
    assert errors[0] < errors[1] / 16


def test_gradients_take_the_precision(backend: str, device: torch.device) -> None:
    """The backward multiplies as the forward was told to."""
    case = Case("gradients", T=4, B=24, H=256)
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    exact = gradients(reference.lstm_forward, tensors.map(Tensor.double), OUTPUTS)
    errors = []
    for tf32 in (0, 1):
        found = gradients(forward, tensors, OUTPUTS, tf32)
        errors.append(rms_error(found["gates"], exact["gates"]))
    assert errors[0] < errors[1] / 16


class Recorder(TorchDispatchMode):
    """Notes the ``tf32`` of every call of our operators."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name.startswith(("lrcn_fast::lstm_forward", "lrcn_fast::lstm_backward")):
            names = [argument.name for argument in func._schema.arguments]
            # An argument that has its default value is left out of both.
            given = {**dict(zip(names, args)), **(kwargs or {})}
            self.seen.append((name.split("_")[2], given.get("tf32", 0)))
        return func(*args, **(kwargs or {}))


@contextmanager
def recorded() -> Iterator[list[tuple[str, int]]]:
    with Recorder() as recorder:
        yield recorder.seen


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_users_precision_arrives(precision: str, backend: str, device: torch.device) -> None:
    require(backend, device, torch.float32)
    module = lrcn_fast.LSTM(32, 32, device=device)
    x = torch.randn(3, 8, 32, device=device)
    with lrcn_fast.use_backend(backend), matmul_precision(precision), recorded() as seen:
        module(x)[0].sum().backward()
    assert seen == [("forward", PRECISIONS[precision]), ("backward", PRECISIONS[precision])]
