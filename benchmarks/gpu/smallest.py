"""``python -m benchmarks.gpu.smallest``: forward and backward of tiny LSTMs in every dtype.

Small enough for compute-sanitizer, which slows kernels down a hundredfold and more. Prints a JSON
line for each call: that it ran, why the backend does not support it, or how it failed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import torch

from lrcn_fast import backends, functional

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
SIZES = ((3, 2, 5, 8), (2, 9, 4, 40))
"""T, B, I, H: one below every tile's size, and one that no tile divides."""

LARGE = (2, 64, 4, 520)
"""Reaches the tiles of two and four times 16 rows. Once for each kind of product: it takes long."""

EXTRAS = ("plain", "cont", "lengths", "bidirectional", "projection", "static", "cells")
TF32_EXTRAS = ("plain", "projection")
ON_CHIP_EXTRAS = ("plain", "cont", "lengths", "bidirectional")
"""With the kernels that stay on chip, which are there for tensor cores."""
PRECISIONS = {torch.float32: ("highest", "high", "medium")}
"""torch's settings under which a dtype has products of its own; the others have one kind."""


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every call by name, with its options."""
    for dtype in DTYPES:
        for precision in PRECISIONS.get(dtype, ("highest",)):
            extras = EXTRAS if precision == "highest" else TF32_EXTRAS
            runs = [(sizes, extra, "0") for sizes in SIZES for extra in extras]
            runs.append((LARGE, "plain", "0"))
            if dtype.itemsize == 2 or precision != "highest":
                runs += [(sizes, extra, "1") for sizes in SIZES for extra in ON_CHIP_EXTRAS]
            for sizes, extra, persistent in runs:
                words = [str(dtype).removeprefix("torch."), f"T,B,I,H={sizes}", extra]
                if precision != "highest":
                    words.insert(1, precision)
                if persistent == "1":
                    words.append("on chip")
                settings = {"dtype": dtype, "sizes": sizes, "extra": extra, "precision": precision}
                yield " ".join(words), settings | {"persistent": persistent}


def projection(settings: dict[str, Any]) -> int:
    """P of a call, 0 for none."""
    return settings["sizes"][3] // 2 + 1 if settings["extra"] == "projection" else 0


def refusal(settings: dict[str, Any], backend: str, device: str) -> str | None:
    """Why the backend does not support a call, None if it does."""
    hidden = settings["sizes"][3]
    spec = backends.LstmSpec(device, settings["dtype"], hidden, projection(settings))
    try:
        backends.choose(spec, backend)
    except (RuntimeError, ValueError) as error:
        reasons = [line.strip() for line in str(error).splitlines()]
        own = [line for line in reasons if line.startswith(f"{backend} ")]
        return (own or reasons)[0]
    return None


def call(settings: dict[str, Any], backend: str, device: str) -> None:
    """One forward and backward.

    Raises:
        RuntimeError: the backend cannot run it, or a result is not finite.
    """
    steps, batch, inputs, hidden = settings["sizes"]
    extra, proj_size = settings["extra"], projection(settings)
    directions = 2 if extra == "bidirectional" else 1

    def tensor(*shape: int) -> torch.Tensor:
        values = torch.rand(shape, device=device, dtype=torch.float32) - 0.5
        return values.to(settings["dtype"]).requires_grad_()

    rows, width = 4 * hidden, proj_size or hidden
    shapes = [(rows, inputs), (rows, width), (rows,), (rows,)]
    shapes += [(proj_size, hidden)] if proj_size else []
    shapes += [(rows, 3)] if extra == "static" else []
    params = [tensor(*shape) for shape in shapes * directions]
    x = tensor(steps, batch, inputs)
    state = (tensor(directions, batch, width), tensor(directions, batch, hidden))
    options: dict[str, Any] = {"bidirectional": directions == 2, "proj_size": proj_size}
    if extra == "cont":
        options["cont"] = torch.rand((steps, batch), device=device) > 0.5
    elif extra == "lengths":
        options["lengths"] = torch.arange(batch, device=device) % (steps + 1)
    elif extra == "static":
        options["static"] = tensor(batch, 3)
    elif extra == "cells":
        options["return_cells"] = True
    output, states, *cells = functional.lstm(x, state, params, backend=backend, **options)
    with torch.no_grad():
        functional.lstm(x, None, params, backend=backend, **options)
    results = (output, *states, *cells)
    static = [options["static"]] if extra == "static" else []
    grads = torch.autograd.grad(results, (x, *state, *params, *static), results)
    if not all(bool(value.isfinite().all()) for value in (*results, *grads)):
        raise RuntimeError("a result is not finite")


def main(arguments: list[str] | None = None) -> int:
    """Runs every call; returns 1 when one that the backend supports failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.smallest", description=__doc__)
    parser.add_argument("--backend", default="native", help="(default: %(default)s)")
    parser.add_argument("--device", default="cuda", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    before = torch.get_float32_matmul_precision()
    failed = 0
    try:
        for name, settings in calls():
            torch.set_float32_matmul_precision(settings["precision"])
            record = {"call": name}
            unsupported = refusal(settings, options.backend, options.device)
            if unsupported is not None:
                record["refused"] = unsupported
            else:
                try:
                    with backends.use_persistent(settings["persistent"]):
                        call(settings, options.backend, options.device)
                    if options.device == "cuda":
                        torch.cuda.synchronize()
                except (RuntimeError, ValueError) as error:
                    failed += 1
                    record["failed"] = str(error).splitlines()[0]
            print(json.dumps(record), flush=True)
    finally:
        torch.set_float32_matmul_precision(before)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
