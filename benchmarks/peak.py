"""The machine's peak, as far as torch reaches it: the fastest of some large square products."""

from __future__ import annotations

from typing import Any

import torch

from .timing import fastest_call

SIZES = (1024, 2048, 3072)
"""The smallest fits in a shared cache, the largest pays least for what a product begins with."""


def measure(dtype: torch.dtype, seconds: float = 1.0) -> dict[str, Any]:
    """GFLOP/s of the fastest call of the fastest size, with torch's present thread count.

    ``seconds`` is the time for each size.
    """
    found = []
    for size in SIZES:
        left, right = torch.randn(2, size, size).to(dtype)
        out = torch.empty(size, size, dtype=dtype)
        with torch.inference_mode():
            shortest = fastest_call(lambda a=left, b=right, c=out: torch.mm(a, b, out=c), seconds)
        found.append((2 * size**3 / shortest / 1e9, size))
    gflops, size = max(found)
    return {"gflops": gflops, "size": size}
