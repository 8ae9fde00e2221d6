"""Bad arguments: the error names operator, argument, shape, dtype and device."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast
from lrcn_fast.backends import LstmSpec, choose
from tests.gpu.operators import DTYPES, build_on, named, operator, require, unavailable

pytestmark = pytest.mark.gpu

ERRORS = (ValueError, TypeError, RuntimeError, NotImplementedError)
BAD = {
    "weight_hh on the CPU": ("weight_hh", Tensor.cpu),
    "weight_hr on the CPU": ("weight_hr", Tensor.cpu),
    "static_gates on the CPU": ("static_gates", Tensor.cpu),
    "h0 on the CPU": ("h0", Tensor.cpu),
    "c0 on the CPU": ("c0", Tensor.cpu),
    "cont on the CPU": ("cont", Tensor.cpu),
    "lengths on the CPU": ("lengths", Tensor.cpu),
    "weight_hh dtype": ("weight_hh", Tensor.double),
    "h0 dtype": ("h0", Tensor.half),
    "cont dtype": ("cont", Tensor.float),
    "lengths dtype": ("lengths", Tensor.int),
    "weight_hh rows": ("weight_hh", lambda w: w[:-1]),
    "static_gates columns": ("static_gates", lambda s: s[:, :-4]),
    "c0 batch": ("c0", lambda c: c[:-1]),
    "lengths batch": ("lengths", lambda n: n[:-1]),
}


@pytest.mark.parametrize("name, change", BAD.values(), ids=list(BAD))
def test_forward(name: str, change: Any, backend: str, device: torch.device) -> None:
    case = named("all_reverse")
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    wrong = change(getattr(tensors, name))
    setattr(tensors, name, wrong)
    with pytest.raises(ERRORS) as caught:
        forward(*tensors.forward_arguments(), True, True)
    message = str(caught.value)
    words = ["lstm_forward", name, str(wrong.dtype).removeprefix("torch."), str(wrong.device.type)]
    sizes = ", *".join(map(str, wrong.shape))
    for word in [*map(re.escape, words), sizes]:
        assert re.search(word, message), message


@pytest.mark.parametrize("wrong_dtype", [torch.int64, torch.bool])
def test_gates_that_are_not_floating(
    wrong_dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    case = named("plain")
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32).map(lambda t: t.to(wrong_dtype))
    with pytest.raises(ERRORS, match="lstm_forward.*gates"):
        forward(*tensors.forward_arguments(), True, True)


@pytest.mark.parametrize("name", ["grad_output", "grad_h_n", "grad_cells", "c0", "lengths"])
@pytest.mark.parametrize("fault", ["device", "dtype"])
def test_backward(name: str, fault: str, backend: str, device: torch.device) -> None:
    case = named("all_reverse")
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    backward = operator("lstm_backward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    *_, cells, activations = forward(*tensors.forward_arguments(), True, True)
    value = getattr(tensors, name)
    setattr(tensors, name, value.cpu() if fault == "device" else value.to(torch.int16))
    with pytest.raises(ERRORS, match=f"lstm_backward.*{name}"):
        backward(*tensors.backward_arguments(activations, cells))


@pytest.mark.parametrize("fault", ["device", "dtype"])
def test_cell(fault: str, device: torch.device) -> None:
    gates = torch.randn(3, 20, device=device)
    c0 = torch.randn(3, 5, device=device)
    wrong = c0.cpu() if fault == "device" else c0.double()
    with pytest.raises(ERRORS, match=r"lstm_cell_forward.*'c0'.*\(3, 5\)"):
        torch.ops.lrcn_fast.lstm_cell_forward(gates, wrong)


@pytest.mark.parametrize("name", ["hx[0]", "cont", "static", "input"])
def test_module(name: str, backend: str, device: torch.device) -> None:
    """Before any operator is called."""
    require(backend, device, torch.float32)
    module = lrcn_fast.LSTM(3, 8, static_size=2, device=device)
    options = {
        "cont": torch.ones(4, 2, dtype=torch.bool, device=device),
        "static": torch.randn(2, 2, device=device),
    }
    x, state = torch.randn(4, 2, 3, device=device), torch.zeros(1, 2, 8, device=device)
    hx = (state.cpu() if name == "hx[0]" else state, state)
    if name in options:
        options[name] = options[name].cpu()
    with (
        lrcn_fast.use_backend(backend),
        pytest.raises(ValueError, match=rf"{re.escape(name)}.*cuda|cuda.*{re.escape(name)}"),
    ):
        module(x.cpu() if name == "input" else x, hx, **options)


@pytest.mark.parametrize("wanted", DTYPES, ids=str)
def test_native_kernels_are_there_where_they_were_compiled(wanted: torch.dtype) -> None:
    """For the architecture of this GPU too."""
    if reason := unavailable("native"):
        pytest.skip(reason)
    assert choose(LstmSpec("cuda", wanted, 256), "native").name == "native"
