"""Calls of the CUDA operators, and the cases on which they run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast.backends import LstmSpec, choose
from tests.helpers.cases import CASES, Case, Tensors, build

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
RESULTS = ("output", "h_n", "c_n", "cells", "activations")

SIZES = [
    Case(f"H{hidden}_B{batch}", T=4, B=batch, H=hidden)
    for hidden in (256, 1000, 1024)
    for batch in (1, 24, 65, 100)
]
_LENGTHS = tuple(k % 7 for k in range(24))
_MANY: dict[str, Any] = {"T": 6, "B": 24, "static": True, "cont": "random", "lengths": _LENGTHS}
ROWS = [
    *CASES,
    *SIZES,
    Case("all_large", **_MANY, H=256, P=64, batch_first=True),
    Case("all_large_reverse", **_MANY, H=256, P=64, reverse=True),
    Case("all_odd_reverse", **_MANY, H=333, reverse=True, batch_first=True),
]


def named(name: str) -> Case:
    """The row of that name."""
    return next(row for row in ROWS if row.name == name)


def require(
    backend: str, device: torch.device, dtype: torch.dtype, hidden: int = 8, proj_size: int = 0
) -> str:
    """The ending of the backend's operators; skips the test where it does not take the call."""
    try:
        return choose(LstmSpec(device.type, dtype, hidden, proj_size), backend).suffix
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"backend {backend!r}: {error}")


def operator(name: str, backend: str, device: torch.device, dtype: torch.dtype, case: Case) -> Any:
    """``lstm_forward`` or ``lstm_backward`` of a backend, or a skip."""
    suffix = require(backend, device, dtype, case.H, case.P)
    return getattr(torch.ops.lrcn_fast, name + suffix).default


def on(device: torch.device, tensors: Tensors) -> Tensors:
    """The same case on a device."""
    return Tensors(
        **{k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(tensors).items()}
    )


def build_on(device: torch.device, case: Case, dtype: torch.dtype) -> Tensors:
    """The tensors of a case on a device."""
    return on(device, build(case, dtype))


def forward_and_backward(
    backend: str, device: torch.device, dtype: torch.dtype, case: Case
) -> Callable[[Tensors], list[Tensor]]:
    """A function that returns all results of both operators."""
    forward = operator("lstm_forward", backend, device, dtype, case)
    backward = operator("lstm_backward", backend, device, dtype, case)

    def run(tensors: Tensors) -> list[Tensor]:
        results = forward(*tensors.forward_arguments(), True, True)
        return [*results, *backward(*tensors.backward_arguments(results[4], results[3]))]

    return run


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """torch.set_float32_matmul_precision for a while."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
