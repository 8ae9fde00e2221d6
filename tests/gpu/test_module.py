"""lrcn_fast.LSTM in the place of torch.nn.LSTM on the GPU."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lrcn_fast
from tests.gpu.modules import Results, as_double, check_alike, exact_run, run, trio
from tests.gpu.operators import require
from tests.helpers.modules import LAYOUTS, Layout
from tests.helpers.tolerance import assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

LARGE = [
    Layout(64, 256, num_layers=2),
    Layout(100, 128, bidirectional=True, batch_first=True),
    Layout(64, 256, num_layers=2, bidirectional=True, proj_size=64),
]


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("layout", [*LAYOUTS, *LARGE], ids=str)
def test_drop_in(
    layout: Layout, with_state: bool, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    require(backend, device, dtype, layout.hidden_size, layout.proj_size)
    modules = trio(layout, dtype, device)
    x = layout.sequence(6, 5).to(device, dtype)
    h0, c0 = layout.state(5)
    state = (h0.to(device, dtype), c0.to(device, dtype)) if with_state else None
    modules.check(backend, run, x, state)


def test_dropout_of_zero_and_evaluation(backend: str, device: torch.device) -> None:
    require(backend, device, torch.float32)
    layout = Layout(num_layers=2)
    for dropout, training in [(0.0, True), (0.5, False)]:
        modules = trio(layout, torch.float32, device)
        for module in (modules.ours, modules.theirs, modules.exact):
            module.dropout = dropout
            module.train(training)

        def forward(module: torch.nn.Module, x: Tensor) -> Results:
            return {"output": module(x)[0]}

        modules.check(backend, forward, layout.sequence(6, 5).to(device, torch.float32))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_lengths_are_those_of_a_packed_sequence(
    layout: Layout, backend: str, device: torch.device
) -> None:
    """Ours takes the lengths from the device, torch's takes a PackedSequence."""
    require(backend, device, torch.float32, layout.hidden_size, layout.proj_size)
    modules = trio(layout, torch.float32, device)
    lengths = torch.tensor([6, 1, 4, 2, 6])

    def outcome(module: torch.nn.Module, x: Tensor) -> Results:
        if isinstance(module, lrcn_fast.LSTM):
            output, (h_n, c_n) = module(x, lengths=lengths.to(device))
        else:
            packed = pack_padded_sequence(x, lengths, layout.batch_first, enforce_sorted=False)
            packed_output, (h_n, c_n) = module(packed)
            output, _ = pad_packed_sequence(packed_output, layout.batch_first)
        return {"output": output, "h_n": h_n, "c_n": c_n}

    modules.check(backend, outcome, layout.sequence(6, 5).to(device, torch.float32))


def test_packed_sequence(dtype: torch.dtype, backend: str, device: torch.device) -> None:
    require(backend, device, dtype)
    layout = Layout(num_layers=2, bidirectional=True)
    modules = trio(layout, dtype, device)

    def outcome(module: torch.nn.Module, x: Tensor) -> Results:
        x = x.detach().requires_grad_()
        packed = pack_padded_sequence(x, torch.tensor([3, 6, 1]), enforce_sorted=False)
        output, (h_n, c_n) = module(packed)
        (grad,) = torch.autograd.grad(output.data.sum(), x)
        return {"output": output.data, "h_n": h_n, "c_n": c_n, "grad": grad}

    modules.check(backend, outcome, layout.sequence(6, 3).to(device, dtype))


def test_everything_at_once(dtype: torch.dtype, backend: str, device: torch.device) -> None:
    """What torch.nn.LSTM does not have: cont, static, lengths, cells."""
    require(backend, device, dtype, 24, 8)
    module = lrcn_fast.LSTM(
        6, 24, 2, bidirectional=True, proj_size=8, static_size=3, device=device, dtype=dtype
    )
    draw = {"device": device, "dtype": dtype}
    x = torch.randn(7, 5, 6, **draw)  # type: ignore[call-overload]
    hx = (torch.randn(4, 5, 8, **draw), torch.randn(4, 5, 24, **draw))  # type: ignore[call-overload]
    options: dict[str, Any] = {
        "cont": torch.rand(7, 5, device=device) > 0.3,
        "static": torch.randn(5, 3, **draw),  # type: ignore[call-overload]
        "lengths": torch.tensor([7, 0, 3, 1, 6], device=device),
        "return_cells": True,
    }
    with lrcn_fast.use_backend(backend):
        actual = run(module, x, hx, **options)
    with lrcn_fast.use_backend("reference"):
        loop = run(module, x, hx, **options)
    check_alike(actual, loop, exact_run(module, x, hx, **options))


@pytest.mark.parametrize("with_state", [False, True])
def test_cell(with_state: bool, dtype: torch.dtype, device: torch.device) -> None:
    theirs = torch.nn.LSTMCell(6, 20, device=device, dtype=dtype)
    ours = lrcn_fast.LSTMCell(6, 20, device=device, dtype=dtype)
    exact = torch.nn.LSTMCell(6, 20, device=device, dtype=torch.float64)
    for module in (ours, exact):
        module.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 6, device=device, dtype=dtype)
    state = torch.randn(2, 3, 20, device=device, dtype=dtype)
    hx = (state[0], state[1]) if with_state else None
    for name, *three in zip("hc", ours(x, hx), theirs(x, hx), exact(x.double(), as_double(hx))):
        assert_no_worse_than_torch(*three, name)
