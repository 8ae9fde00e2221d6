"""The least time of one step of the recurrence on an H100, as a model gives it.

Nothing here is measured. The model: the time in which the state of a step can be exchanged, the
weights' part of each multiprocessor be multiplied from where it lies, and the gates be formed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASSUMPTIONS = (
    "H100 at 1.755 GHz; W_hh stays on chip, in registers first, then in shared memory",
    "0.20 us for an exchange inside a cluster, 0.60 us for a data-carrying exchange in a grid",
    "0.15 us for the gates; batch padded to 8",
    "128 bytes a clock and multiprocessor from shared memory, 64 from remote memory or L2",
    "tensor cores at 60 % of their peak",
    "recurrence only: no input product, no weight gradient, one layer, one direction",
)

BATCHES = (1, 24, 64, 100, 256)


@dataclass(frozen=True)
class Floor:
    """Microseconds per step."""

    forward: float
    backward: float


def _row(text: str) -> tuple[Floor, ...]:
    pairs = (cell.split("/") for cell in text.split())
    return tuple(Floor(float(forward), float(backward)) for forward, backward in pairs)


_BF16_1024 = _row("1.0/1.2 1.4/1.5 2.0/2.1 2.7/3.0 5.0/5.2")
_TF32_1024 = _row("1.3/1.3 1.8/2.0 3.0/3.2 4.4/4.9 9/10")

TABLE: dict[tuple[str, int], tuple[Floor, ...]] = {
    ("bf16", 256): _row(".45/.57 .45/.57 .45/.57 .51/.62 .63/.74"),
    ("bf16", 512): _row(".67/.88 .67/.88 .67/.88 .98/1.4 1.5/1.9"),
    ("bf16", 1000): _BF16_1024,
    ("bf16", 1024): _BF16_1024,
    ("bf16", 2048): _row("1.8/1.8 2.5/2.7 5.0/5.5 7.6/8.3 17/19"),
    ("tf32", 256): _row(".54/.79 .54/.79 .54/.79 .67/.88 .98/1.4"),
    ("tf32", 512): _row(".97/1.1 1.2/1.3 1.2/1.6 1.6/2.1 2.9/3.1"),
    ("tf32", 1000): _TF32_1024,
    ("tf32", 1024): _TF32_1024,
}
"""By format of W_hh and H: a floor for each of ``BATCHES``."""

_FORMATS = {
    "bfloat16": "bf16",
    "float16": "bf16",
    "float32": "tf32",
    "float32-tf32": "tf32",
    "float32-tf32x3": "tf32",
    # Strict float32 has the same bytes to move and a slower unit: TF32's floor holds all the more.
    "float32-highest": "tf32",
}


def floor(precision: str, hidden: int, batch: int) -> Floor | None:
    """The floor of a step, from the nearest batch upward that the table has.

    Returns:
        None where the table has no such H, no such precision, or no batch as large.
    """
    column = next((index for index, listed in enumerate(BATCHES) if listed >= batch), None)
    row = TABLE.get((_FORMATS.get(precision, ""), hidden))
    return None if row is None or column is None else row[column]


def floor_of(row: Mapping[str, Any], mode: str, capability: Sequence[int]) -> float | None:
    """Microseconds per step at least; None where the model says nothing, as on another chip.

    Args:
        row: of the bench part's record.
        mode: "inference", or "training" for forward and backward.
        capability: of the device.
    """
    shape = row["shape"]
    if list(capability) != [9, 0] or shape["bidirectional"]:
        return None
    found = floor(row["precision"], shape["hidden_size"], shape["batch"])
    if found is None:
        return None
    return found.forward if mode == "inference" else found.forward + found.backward
