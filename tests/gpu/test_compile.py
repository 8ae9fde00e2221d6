"""torch.compile and torch.export of the modules on the GPU."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim

import lrcn_fast
from tests.gpu.modules import check_alike, exact_run, run
from tests.gpu.operators import require
from tests.helpers.tolerance import assert_no_worse_than_torch

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    torch._dynamo.reset()


def problem(device: torch.device, T: int, B: int) -> tuple[Any, ...]:
    """x, hx and options of a call."""
    options = {
        "cont": torch.rand(T, B, device=device) > 0.3,
        "lengths": torch.randint(0, T + 1, (B,), device=device),
        "static": torch.randn(B, 4, device=device),
        "return_cells": True,
    }
    state = (torch.randn(4, B, 12, device=device), torch.randn(4, B, 12, device=device))
    return torch.randn(T, B, 5, device=device), state, options


@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
def test_full_graph(compiler: str, backend: str, device: torch.device) -> None:
    """Forward and backward, other sizes at the second call."""
    require(backend, device, torch.float32, 12)
    module = lrcn_fast.LSTM(5, 12, 2, bidirectional=True, static_size=4, device=device)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend=compiler)
    for T, B in ((11, 6), (8, 3)):
        x, hx, options = problem(device, T, B)
        with lrcn_fast.use_backend(backend):
            actual = run(compiled, x, hx, **options)
            eager = run(module, x, hx, **options)
        actual = {name.removeprefix("_orig_mod."): value for name, value in actual.items()}
        check_alike(actual, eager, exact_run(module, x, hx, **options))


def test_reduced_overhead(backend: str, device: torch.device) -> None:
    """torch's own graphs around our kernels, forward and backward, replayed on other values."""
    require(backend, device, torch.float32, 12)
    module = lrcn_fast.LSTM(5, 12, 2, bidirectional=True, static_size=4, device=device)
    compiled = torch.compile(module, fullgraph=True, mode="reduce-overhead")
    for _ in range(4):
        x, hx, options = problem(device, 7, 3)
        with lrcn_fast.use_backend(backend):
            torch.compiler.cudagraph_mark_step_begin()
            actual = run(compiled, x, hx, **options)
            eager = run(module, x, hx, **options)
        actual = {name.removeprefix("_orig_mod."): value for name, value in actual.items()}
        check_alike(actual, eager, exact_run(module, x, hx, **options))


def test_step_of_one_frame(backend: str, device: torch.device) -> None:
    """Streaming: compiled once, called for each frame."""
    require(backend, device, torch.float32, 12)
    module = lrcn_fast.LSTM(5, 12, device=device)
    exact = lrcn_fast.LSTM(5, 12, device=device, dtype=torch.float64)
    exact.load_state_dict(module.state_dict())
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    with lrcn_fast.use_backend(backend), torch.no_grad():
        state = module(torch.zeros(1, 2, 5, device=device))[1]
        for _ in range(3):
            x = torch.randn(1, 2, 5, device=device)
            output, new = compiled(x, state)
            with lrcn_fast.use_backend("reference"):
                truth = exact(x.double(), (state[0].double(), state[1].double()))[0]
            assert_no_worse_than_torch(output, module(x, state)[0], truth, "output")
            state = new


class Wrapped(torch.nn.Module):
    """All tensors as positional arguments."""

    def __init__(self, rnn: lrcn_fast.LSTM) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor, cont: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, (h_n, c_n) = self.rnn(x, cont=cont, lengths=lengths)
        return output, h_n, c_n


def test_export(backend: str, device: torch.device) -> None:
    """Exported at one size, run at another."""
    require(backend, device, torch.float32, 12)
    model = Wrapped(lrcn_fast.LSTM(5, 12, 2, bidirectional=True, device=device)).eval()
    exact = Wrapped(lrcn_fast.LSTM(5, 12, 2, bidirectional=True, device=device).double()).eval()
    exact.load_state_dict(model.state_dict())

    def arguments(T: int, B: int) -> tuple[Tensor, Tensor, Tensor]:
        x, _, options = problem(device, T, B)
        return x, options["cont"], options["lengths"]

    T, B = Dim("T", min=2, max=4096), Dim("B", min=2, max=512)
    shapes = ({0: T, 1: B}, {0: T, 1: B}, {0: B})
    with lrcn_fast.use_backend(backend), torch.no_grad():
        program = torch.export.export(model, arguments(6, 3), dynamic_shapes=shapes)
        for given in (arguments(6, 3), arguments(9, 4)):
            with lrcn_fast.use_backend("reference"):
                truth = exact(given[0].double(), *given[1:])
            three = zip(("output", "h_n", "c_n"), program.module()(*given), model(*given), truth)
            for name, ours, eager, true in three:
                assert_no_worse_than_torch(ours, eager, true, name)
