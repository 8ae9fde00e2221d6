"""The host never waits for the GPU: not for lengths, not for cont, not for states."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import lrcn_fast
from tests.gpu.modules import run
from tests.gpu.operators import require

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_the_check_is_alive(device: torch.device) -> None:
    value = torch.ones(1, device=device)
    with waiting_is_an_error(), pytest.raises(RuntimeError, match="synchroniz"):
        value.item()
    assert value.item() == 1


@pytest.mark.parametrize("proj_size", [0, 8])
def test_forward_and_backward(
    proj_size: int, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    require(backend, device, dtype, 40, proj_size)
    T, B, width = 6, 5, proj_size or 40
    draw: dict[str, Any] = {"device": device, "dtype": dtype}
    module = lrcn_fast.LSTM(
        6, 40, 2, bidirectional=True, proj_size=proj_size, static_size=3, **draw
    )
    x = torch.randn(T, B, 6, **draw)
    hx = (torch.randn(4, B, width, **draw), torch.randn(4, B, 40, **draw))
    options: dict[str, Any] = {
        "cont": torch.rand(T, B, device=device) > 0.3,
        "static": torch.randn(B, 3, **draw),
        "lengths": torch.tensor([6, 0, 3, 1, 5], device=device),
        "return_cells": True,
    }
    with lrcn_fast.use_backend(backend):
        # Kernels are loaded, and libraries started, at the first call.
        run(module, x, hx, **options)
        with waiting_is_an_error():
            found = run(module, x, hx, **options)
    assert all(result.isfinite().all() for result in found.values())


def test_step(backend: str, device: torch.device) -> None:
    """Streaming, frame by frame."""
    require(backend, device, torch.float32, 40)
    module = lrcn_fast.LSTM(6, 40, num_layers=2, device=device)
    cont = torch.tensor([[True, False]], device=device)
    frame = torch.randn(1, 2, 6, device=device)
    state = (torch.zeros(2, 2, 40, device=device), torch.zeros(2, 2, 40, device=device))
    with lrcn_fast.use_backend(backend), torch.no_grad():
        module(frame, state, cont=cont)
        with waiting_is_an_error():
            for _ in range(3):
                output, state = module(frame, state, cont=cont)
    assert output.isfinite().all()
