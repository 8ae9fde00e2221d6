"""lstm_forward on the GPU against the loop in float64."""

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.gpu import cudnn
from tests.gpu.operators import RESULTS, ROWS, build_on, named, operator
from tests.helpers.cases import Case
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

pytestmark = pytest.mark.gpu


@lru_cache(maxsize=len(ROWS))
def oracles(case: Case, dtype: torch.dtype, device: torch.device) -> tuple[list[Tensor], ...]:
    """Torch's results in the dtype, of cuDNN where it has them, and the float64 values."""
    tensors = build_on(device, case, dtype)
    theirs = list(reference.lstm_forward(*tensors.forward_arguments(), True, True))
    if cudnn.can_express(case):
        theirs[:3] = cudnn.forward(tensors)
    exact = tensors.map(Tensor.double)
    return theirs, list(reference.lstm_forward(*exact.forward_arguments(), True, True))


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case(case: Case, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    forward = operator("lstm_forward", backend, device, dtype, case)
    actual = forward(*build_on(device, case, dtype).forward_arguments(), True, True)
    theirs, exact = oracles(case, dtype, device)
    for name, ours, torchs, truth in zip(RESULTS, actual, theirs, exact, strict=True):
        assert_no_worse_than_torch(ours, torchs, truth, name)


@pytest.mark.parametrize("name", ["all_reverse", "all_large", "H1024_B24"])
def test_what_is_saved_changes_nothing_else(
    name: str, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    case = named(name)
    forward = operator("lstm_forward", backend, device, dtype, case)
    arguments = build_on(device, case, dtype).forward_arguments()
    everything = forward(*arguments, True, True)
    for saved in [(False, False), (True, False), (False, True)]:
        actual = forward(*arguments, *saved)
        for result, ours, full in zip(RESULTS, actual, everything):
            if result not in RESULTS[3:] or saved[RESULTS.index(result) - 3]:
                assert_bitwise_equal(ours, full, result)
            else:
                assert ours.shape == (0,)


@pytest.mark.parametrize("magnitude", [1e2, 1e4])
def test_saturated_gates_stay_finite(
    magnitude: float, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    case = Case("saturated", T=5, B=4, H=40)
    forward = operator("lstm_forward", backend, device, dtype, case)
    tensors = build_on(device, case, dtype)
    tensors.gates = tensors.gates.sign() * magnitude
    actual = forward(*tensors.forward_arguments(), True, True)
    loop = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    exact = tensors.map(Tensor.double)
    truth = reference.lstm_forward(*exact.forward_arguments(), True, True)
    for name, *three in zip(RESULTS, actual, loop, truth, strict=True):
        assert_no_worse_than_torch(*three, name)


@pytest.mark.parametrize("reverse", [False, True])
def test_nan_dies_where_a_sequence_starts(
    reverse: bool, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    case = Case("nan", T=5, B=3, H=17, cont="first", reverse=reverse)
    forward = operator("lstm_forward", backend, device, dtype, case)
    tensors = build_on(device, case, dtype)
    assert tensors.cont is not None and tensors.h0 is not None
    tensors.cont.fill_(True)
    tensors.cont[3 if reverse else 2, 0] = False
    tensors.h0 = tensors.c0 = torch.full_like(tensors.h0, float("nan"))
    output, h_n, *_ = forward(*tensors.forward_arguments(), False, False)
    clean = slice(0, 3) if reverse else slice(2, None)
    assert output[clean, 0].isfinite().all() and h_n[0].isfinite().all()
    assert output[:, 1:].isnan().all()
