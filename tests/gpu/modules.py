"""torch.nn.LSTM and ours on the GPU with the same weights, and all that a call of them gives."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

import lrcn_fast
from tests.helpers.modules import Layout, named_gradients
from tests.helpers.tolerance import assert_no_worse_than_torch

Results = dict[str, Tensor]
Run = Callable[..., Results]


@dataclass(frozen=True)
class Trio:
    """Three modules with the same values as weights."""

    ours: lrcn_fast.LSTM
    theirs: torch.nn.LSTM
    exact: torch.nn.LSTM  # float64

    def check(self, backend: str, run: Run, x: Tensor, *options: Any) -> Results:
        """Compare what ``run(module, x, *options)`` gives; returns ours."""
        with lrcn_fast.use_backend(backend):
            ours = run(self.ours, x, *options)
        theirs = run(self.theirs, x, *options)
        exact = run(self.exact, x.double(), *map(as_double, options))
        assert ours.keys() == theirs.keys() == exact.keys()
        for name, result in ours.items():
            assert_no_worse_than_torch(result, theirs[name], exact[name], name)
        return ours


def trio(layout: Layout, dtype: torch.dtype, device: torch.device) -> Trio:
    """Modules of a layout with the same weights."""
    theirs = torch.nn.LSTM(**layout.arguments(), device=device, dtype=dtype)
    ours = lrcn_fast.LSTM(**layout.arguments(), device=device, dtype=dtype)  # type: ignore[arg-type]
    ours.load_state_dict(theirs.state_dict())
    exact = torch.nn.LSTM(**layout.arguments(), device=device, dtype=torch.float64)
    exact.load_state_dict(theirs.state_dict())
    return Trio(ours, theirs, exact)


def as_double(value: Any) -> Any:
    """Floating tensors, also in tuples, as float64."""
    if isinstance(value, tuple):
        return tuple(map(as_double, value))
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.double()
    return value


def seed_gradient(like: Tensor) -> Tensor:
    """Small halves in a row, which every dtype holds exactly."""
    steps = torch.arange(like.numel(), device=like.device) % 7 - 3
    return (steps / 2).to(like.dtype).view(like.shape)


def run(
    module: torch.nn.Module, x: Tensor, hx: tuple[Tensor, Tensor] | None = None, **options: Any
) -> Results:
    """Output, states, and all gradients of a weighted sum of them."""
    module.zero_grad()
    x = x.detach().requires_grad_()
    output, (h_n, c_n), *cells = module(x, hx, **options)
    if isinstance(output, PackedSequence):
        output = output.data
    results = [output, h_n, c_n, *cells]
    with warnings.catch_warnings():
        # The first backward of a process may find no CUDA context on autograd's thread.
        warnings.filterwarnings("ignore", "Attempting to run cuBLAS")
        torch.autograd.backward(results, [seed_gradient(result) for result in results])
    assert x.grad is not None
    named = dict(zip(("output", "h_n", "c_n", "cells"), results))
    found = {**named, "grad_input": x.grad, **named_gradients(module)}
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def exact_run(module: lrcn_fast.LSTM, x: Tensor, *args: Any, **options: Any) -> Results:
    """The same of the module in float64, by the reference backend."""
    doubled = {name: as_double(option) for name, option in options.items()}
    with lrcn_fast.use_backend("reference"):
        return run(copy.deepcopy(module).double(), x.double(), *map(as_double, args), **doubled)


def check_alike(actual: Results, expected: Results, exact: Results) -> None:
    """Two ways to call the same kernels: as far from the truth, and no further."""
    assert actual.keys() == expected.keys() == exact.keys()
    for name, result in actual.items():
        assert_no_worse_than_torch(result, expected[name], exact[name], name)
