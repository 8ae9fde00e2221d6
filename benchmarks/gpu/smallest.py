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


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every call by name, with its options."""
    for dtype in DTYPES:
        for sizes in SIZES:
            for extra in ("plain", "cont", "lengths", "bidirectional"):
                name = f"{str(dtype).removeprefix('torch.')} T,B,I,H={sizes} {extra}"
                yield name, {"dtype": dtype, "sizes": sizes, "extra": extra}


def refusal(settings: dict[str, Any], backend: str, device: str) -> str | None:
    """Why the backend does not support a call, None if it does."""
    spec = backends.LstmSpec(device, settings["dtype"], settings["sizes"][3])
    try:
        backends.choose(spec, backend)
    except (RuntimeError, ValueError) as error:
        reasons = [line.strip() for line in str(error).splitlines()]
        own = [line for line in reasons if line.startswith(f"{backend} ")]
        return (own or reasons)[0]
    return None


def call(
    dtype: torch.dtype, sizes: tuple[int, int, int, int], extra: str, backend: str, device: str
) -> None:
    """One forward and backward.

    Raises:
        RuntimeError: the backend cannot run it, or a result is not finite.
    """
    steps, batch, inputs, hidden = sizes
    directions = 2 if extra == "bidirectional" else 1

    def tensor(*shape: int) -> torch.Tensor:
        values = torch.rand(shape, device=device, dtype=torch.float32) - 0.5
        return values.to(dtype).requires_grad_()

    rows = 4 * hidden
    shapes = [(rows, inputs), (rows, hidden), (rows,), (rows,)] * directions
    params = [tensor(*shape) for shape in shapes]
    x = tensor(steps, batch, inputs)
    state = tuple(tensor(directions, batch, hidden) for _ in range(2))
    options: dict[str, Any] = {}
    if extra == "cont":
        options["cont"] = torch.rand((steps, batch), device=device) > 0.5
    elif extra == "lengths":
        options["lengths"] = torch.arange(batch, device=device) % (steps + 1)
    output, (h_n, c_n) = functional.lstm(
        x, (state[0], state[1]), params, bidirectional=directions == 2, backend=backend, **options
    )
    with torch.no_grad():
        functional.lstm(x, None, params, bidirectional=directions == 2, backend=backend, **options)
    wanted = (x, *state, *params)
    grads = torch.autograd.grad((output, h_n, c_n), wanted, (output, h_n, c_n))
    if not all(bool(value.isfinite().all()) for value in (output, h_n, c_n, *grads)):
        raise RuntimeError("a result is not finite")


def main(arguments: list[str] | None = None) -> int:
    """Runs every call; returns 1 when one that the backend supports failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.smallest", description=__doc__)
    parser.add_argument("--backend", default="native", help="(default: %(default)s)")
    parser.add_argument("--device", default="cuda", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    failed = 0
    for name, settings in calls():
        record = {"call": name}
        unsupported = refusal(settings, options.backend, options.device)
        if unsupported is not None:
            record["refused"] = unsupported
        else:
            try:
                call(**settings, backend=options.backend, device=options.device)
                if options.device == "cuda":
                    torch.cuda.synchronize()
            except (RuntimeError, ValueError) as error:
                failed += 1
                record["failed"] = str(error).splitlines()[0]
        print(json.dumps(record), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
