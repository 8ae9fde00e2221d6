"""What the bench part measures, the most important first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..shapes import SHAPES, Shape

PAPER = ("activity-256", "activity-1024", "captions", "captions-2layers")
"""Shapes of the LRCN paper, as the CPU benchmarks have them too."""

GRID_INPUT = 128
"""I of the grid: small beside H, so that the recurrence is what counts. cuDNN's persistent kernels
need a multiple of 128."""

# Each list is in the order of importance.
_HIDDEN = (1024, 256, 1000, 512)
_BATCH = (24, 100, 1, 64, 8)
_STEPS = (128, 16, 1024)

GRID_PRECISIONS = ("bfloat16", "float32-tf32", "float16", "float32", "float32-highest")
PRECISIONS = (*GRID_PRECISIONS, "float32-tf32x3")

# What cuDNN may do, and torch's precision of products.
_TF32_SETTINGS = {
    "float32-highest": (False, "highest"),
    "float32-tf32": (True, "medium"),
    "float32-tf32x3": (True, "high"),
}


@dataclass(frozen=True)
class Row:
    """A shape in a precision; forward and training are both measured.

    Attributes:
        shape: the LSTM's sizes.
        precision: a dtype's name. "float32" leaves torch's settings at their defaults, under which
            cuDNN uses TF32 and products of matrices don't; "float32-highest" forbids TF32 to all,
            "float32-tf32" allows it to all; so does "float32-tf32x3", with torch's setting "high",
            for which our kernels take three TF32 products.
        group: "paper" or "grid".
    """

    shape: Shape
    precision: str
    group: str

    @property
    def name(self) -> str:
        """Identifier in the result."""
        return f"{self.shape.name}/{self.precision}"

    @property
    def dtype_name(self) -> str:
        """The precision without what it says about TF32."""
        return self.precision.partition("-")[0]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of all tensors."""
        dtype = getattr(torch, self.dtype_name)
        assert isinstance(dtype, torch.dtype)
        return dtype

    @property
    def resolution(self) -> float | None:
        """Resolution of torch's products where it is not the dtype's own."""
        return 2.0**-10 if self.precision in ("float32", "float32-tf32", "float32-tf32x3") else None

    @property
    def steps(self) -> int:
        """Steps that have to wait for each other: those of all layers, as the peers run them."""
        return self.shape.steps * self.shape.num_layers

    def describe(self) -> dict[str, Any]:
        """The row as it goes into the JSON."""
        return {
            "name": self.name,
            "group": self.group,
            "precision": self.precision,
            "shape": asdict(self.shape),
            "label": self.shape.label,
        }


def rows() -> list[Row]:
    """All rows: the paper's shapes in every precision, then the grid.

    In the grid the ranks of H, B, T and precision in their lists are added up, and small sums come
    first: wherever time runs out, the rows measured lie evenly.
    """
    named = {shape.name: shape for shape in SHAPES}
    found = [Row(named[name], precision, "paper") for precision in PRECISIONS for name in PAPER]
    ranked = []
    for h_rank, hidden in enumerate(_HIDDEN):
        for b_rank, batch in enumerate(_BATCH):
            for t_rank, steps in enumerate(_STEPS):
                shape = Shape(f"grid-h{hidden}-b{batch}-t{steps}", steps, batch, GRID_INPUT, hidden)
                for p_rank, precision in enumerate(GRID_PRECISIONS):
                    rank = h_rank + b_rank + t_rank + p_rank
                    ranked.append((rank, Row(shape, precision, "grid")))
    return found + [row for _, row in sorted(ranked, key=lambda pair: pair[0])]


@contextlib.contextmanager
def settings(precision: str) -> Iterator[None]:
    """torch's settings for a precision inside the block."""
    cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    try:
        if precision in _TF32_SETTINGS:
            torch.backends.cudnn.allow_tf32, products = _TF32_SETTINGS[precision]
            torch.set_float32_matmul_precision(products)
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = cudnn
        torch.set_float32_matmul_precision(matmul)
