"""Calls of the CUDA operators, and the cases on which they run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import _loader
from lrcn_fast.backends import LstmSpec, OpSpec, Spec, available, choose
from tests.helpers.cases import CASES, Case, Tensors, build
from tests.helpers.modules import LAYOUTS, Layout

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

# Triton compiles its kernels anew for nearly every row. Under its interpreter, tests/triton_kernels
# has all rows.
TRITON_ROWS = {
    *("plain", "one_stream", "cont", "all", "all_reverse"),
    *("H256_B24", "H1000_B65", "H1024_B100", "all_large"),
}
TRITON_LAYOUTS = {LAYOUTS[0], LAYOUTS[3], LAYOUTS[5], Layout(64, 256, num_layers=2)}


def too_much_for_triton(value: object) -> bool:
    """Whether Triton's tests leave a parameter out: a row not listed, or a dtype that it lacks."""
    if isinstance(value, Case):
        return value in ROWS and value.name not in TRITON_ROWS
    if isinstance(value, Layout):
        return value not in TRITON_LAYOUTS
    return value is torch.float64


def named(name: str) -> Case:
    """The row of that name."""
    return next(row for row in ROWS if row.name == name)


def unavailable(backend: str) -> str | None:
    """Why the backend cannot be tested on this machine's GPU, None where it can."""
    reasons = {name: reason for name, reason, _ in available()}
    if reasons[backend] is None and backend == "native":
        extension = _loader.load()
        if extension is not None and not extension.build_info()["cuda_archs"]:
            return "the extension holds no CUDA kernels: nvcc was not found when it was built"
    return reasons[backend]


def require(
    backend: str, device: torch.device, dtype: torch.dtype, hidden: int = 8, proj_size: int = 0
) -> str:
    """The ending of the backend's operators for an LSTM."""
    return _require(backend, LstmSpec(device.type, dtype, hidden, proj_size))


def require_op(op: str, backend: str, device: torch.device, dtype: torch.dtype) -> Any:
    """The backend's operator of that name."""
    suffix = _require(backend, OpSpec(device.type, dtype, op))
    return getattr(torch.ops.lrcn_fast, op + suffix).default


def _require(backend: str, spec: Spec) -> str:
    """The ending of the backend's operators; skips the test where this machine lacks the backend.

    One that is here and refuses the call fails the test.
    """
    if reason := unavailable(backend):
        pytest.skip(f"backend {backend!r} is not available: {reason}")
    return choose(spec, backend).suffix


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


def capture(step: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """Warm up beside the default stream, as captures need it, and capture."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # Not on torch's own stream for captures: that is on the device of the first capture.
    with torch.cuda.graph(graph, stream=side):
        results = step()
    return graph, results


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """torch.set_float32_matmul_precision for a while."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
