"""``python -m benchmarks.gpu.ceilings``: what the device can do at most, and torch.nn.LSTM on it.

Copy bandwidth and a large product of matrices are the ceilings that any kernel is judged by; both
run on random values, because zeros draw less power and run faster.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..peers import TORCH, Inputs, Job
from ..shapes import SHAPES, Case
from . import timing
from .rows import PAPER, Row, settings

COPY_BYTES = 2 * 2**30
GEMM_SIZE = 8192
BUDGET = timing.Budget(0.15, 5)
PRECISIONS = ("bfloat16", "float16", "float32-tf32", "float32-highest")


def _median(call: Callable[[], object]) -> float:
    return float(timing.compare({"call": call}, "call", BUDGET)["median"]["call"])


def copy() -> dict[str, Any]:
    """Device to device; the bytes read and the bytes written both count."""
    size = min(COPY_BYTES, torch.cuda.mem_get_info()[0] // 4)
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    seconds = _median(lambda: target.copy_(source))
    return {"probe": "copy", "bytes": size, "us": seconds * 1e6, "gb_s": 2e-9 * size / seconds}


def gemm(precision: str) -> dict[str, Any]:
    """A square product by torch's library."""
    dtype = getattr(torch, precision.partition("-")[0])
    size = GEMM_SIZE if precision != "float32-highest" else GEMM_SIZE // 2
    with settings(precision):
        a, b = (torch.randn(size, size, device="cuda").to(dtype) for _ in range(2))
        out = torch.empty(size, size, device="cuda", dtype=dtype)
        seconds = _median(lambda: torch.mm(a, b, out=out))
    flops = 2.0 * size**3
    found = {"probe": "gemm", "precision": precision, "size": size, "us": seconds * 1e6}
    return {**found, "tflop_s": flops / seconds * 1e-12}


def lstm(name: str, precision: str) -> dict[str, Any]:
    """torch.nn.LSTM's forward as a CUDA graph, microseconds for each step of each layer."""
    shape = next(shape for shape in SHAPES if shape.name == name)
    row = Row(shape, precision, "paper")
    found: dict[str, Any] = {
        "probe": "nn.LSTM",
        "case": name,
        "shape": shape.label,
        "precision": precision,
    }
    with settings(precision):
        inputs = Inputs.make(shape, row.dtype, device="cuda")
        for mode in ("inference", "training"):
            captured = timing.capture(Job(TORCH, Case(shape, mode), inputs).run)
            found[f"{mode}_us_per_step"] = _median(captured.replay) * 1e6 / row.steps
    return found


def probes() -> Iterator[Callable[[], dict[str, Any]]]:
    """All of them, the ceilings first."""
    yield copy
    for precision in PRECISIONS:
        yield lambda precision=precision: gemm(precision)  # type: ignore[misc]
    for precision in ("float32", "bfloat16", "float16"):
        for name in PAPER:
            yield lambda name=name, precision=precision: lstm(name, precision)  # type: ignore[misc]


def main() -> int:
    """Prints a JSON line for each; returns 2 without a GPU."""
    if not torch.cuda.is_available():
        print(f"ceilings: no CUDA GPU (torch {torch.__version__})", file=sys.stderr)
        return 2
    failed = 0
    for probe in probes():
        try:
            record = probe()
        except RuntimeError as error:
            failed += 1
            record = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        print(json.dumps(record), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
