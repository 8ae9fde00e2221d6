"""What the GPU kernels are to reach, and whether a result shows that they do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..report import geometric_mean
from .floor import floor_of

LARGEST_BATCH = 64
MICROSECONDS = {256: 3.0, 1024: 6.0}
"""By H: a forward step in bfloat16 takes less, for batches up to the largest."""

TIMES_CUDNN = {"inference": 3.0, "training": 2.5}
"""By mode: the geometric mean of cuDNN's time over ours, over the grid in bfloat16 and in TF32."""

TIMES_PERSISTENT = 1.2
"""The same in float16, of each mode, where cuDNN keeps its weights on chip too."""

TIMES_FLOOR = 1.5
"""The geometric mean of our time over the floor's, over the grid."""


@dataclass(frozen=True)
class Target:
    """A target with what a result says about it.

    Attributes:
        what: the target in words.
        state: "met", "missed" or "not measured".
        shown: the worst figure there is and where, or what is lacking.
    """

    what: str
    state: str
    shown: str


def per_step(row: dict[str, Any], seconds: float) -> float:
    """Microseconds for each step of each layer."""
    shape = row["shape"]
    return seconds * 1e6 / (shape["steps"] * shape["num_layers"])


def _against_cudnn(rows: list[dict[str, Any]], where: str, lacking: int) -> Target:
    """Every ratio counts: forward and training, called plainly and as a graph."""
    ratios = []
    for row in rows:
        for mode, found in row["modes"].items():
            measured = [
                (found[method]["ratio"]["native"]["median"], f"{row['name']}, {mode}, {method}")
                for method in ("graph", "eager")
                if "native" in found.get(method, {}).get("ratio", {})
            ]
            lacking += not measured
            ratios += measured
    what = f"never slower than cuDNN {where}"
    if ratios and min(ratios)[0] < 1.0:
        return Target(what, "missed", f"torch / ours {min(ratios)[0]:.2f}: {min(ratios)[1]}")
    if lacking or not ratios:
        return Target(what, "not measured", f"{len(ratios)} figures, {lacking} lacking")
    return Target(what, "met", f"torch / ours at least {min(ratios)[0]:.2f}: {min(ratios)[1]}")


def _of_a_step(rows: list[dict[str, Any]], hidden: int, most: float) -> Target:
    """Of graphs: what the host costs is no matter of the kernels."""
    figures = []
    for row in rows:
        shape = row["shape"]
        fits = shape["hidden_size"] == hidden and shape["batch"] <= LARGEST_BATCH
        times = row["modes"]["inference"].get("graph", {}).get("median", {})
        if fits and row["precision"] == "bfloat16" and "native" in times:
            figures.append((per_step(row, times["native"]), row["name"]))
    what = f"forward step at H={hidden} in bfloat16, B <= {LARGEST_BATCH}, below {most:g} us"
    if not figures:
        return Target(what, "not measured", "no figure")
    worst, name = max(figures)
    state = "met" if worst < most else "missed"
    return Target(what, state, f"{worst:.2f} us in the worst of {len(figures)} rows, {name}")


def cudnn_persists(shape: dict[str, Any]) -> bool:
    """Whether cuDNN keeps the weights of a float16 layer on chip on an H100."""
    small = shape["hidden_size"] <= 1024 and shape["batch"] <= 128
    alone = shape["num_layers"] == 1 and not shape["bidirectional"]
    even = not (shape["hidden_size"] % 128 or shape["input_size"] % 128 or shape["batch"] % 8)
    return small and alone and even


def _mean(
    what: str, figures: Sequence[float | None], least: float = 0.0, most: float = math.inf
) -> Target:
    """The geometric mean of the figures of all rows, of which none may lack."""
    measured = [figure for figure in figures if figure is not None]
    if not figures or len(measured) < len(figures):
        return Target(what, "not measured", f"{len(measured)} figures of {len(figures)} rows")
    mean = geometric_mean(measured)
    state = "met" if least <= mean <= most else "missed"
    return Target(what, state, f"{mean:.2f} over {len(figures)} rows")


def _graph(row: dict[str, Any], mode: str) -> dict[str, Any]:
    """Times as a graph, if there are any: what the host costs is no matter of the kernels."""
    found: dict[str, Any] = row.get("modes", {}).get(mode, {}).get("graph", {})
    return found


def _over_cudnn(row: dict[str, Any], mode: str) -> float | None:
    ratio = _graph(row, mode).get("ratio", {}).get("native")
    return None if ratio is None else float(ratio["median"])


def _over_floor(row: dict[str, Any], mode: str, capability: Sequence[int]) -> float | None:
    floor, median = floor_of(row, mode, capability), _graph(row, mode).get("median", {})
    return (
        None if floor is None or "native" not in median else per_step(row, median["native"]) / floor
    )


def _of_grid(grid: list[dict[str, Any]], capability: Sequence[int]) -> Iterator[Target]:
    for mode, least in TIMES_CUDNN.items():
        passes = "forward" if mode == "inference" else "forward + backward"
        for precision, named in (("bfloat16", "bfloat16"), ("float32-tf32", "TF32")):
            rows = [row for row in grid if row["precision"] == precision]
            ratios = [_over_cudnn(row, mode) for row in rows]
            yield _mean(f"{named} grid, {passes}: {least:g} times cuDNN", ratios, least=least)
            floors = [_over_floor(row, mode, capability) for row in rows]
            what = f"{named} grid, {passes}: within {TIMES_FLOOR:g} times the floor"
            yield _mean(what, floors, most=TIMES_FLOOR)
        halves = [row for row in grid if row["precision"] == "float16"]
        ratios = [_over_cudnn(row, mode) for row in halves if cudnn_persists(row["shape"])]
        what = f"float16 where cuDNN is persistent, {passes}: {TIMES_PERSISTENT:g} times cuDNN"
        yield _mean(what, ratios, least=TIMES_PERSISTENT)


def targets(
    bench: dict[str, Any], listed: Sequence[dict[str, Any]], capability: Sequence[int]
) -> Iterator[Target]:
    """All targets.

    Args:
        bench: the bench part's record.
        listed: descriptions of all rows there are.
        capability: of the device.
    """
    rows = [row for row in bench.get("rows", []) if "modes" in row and "failed" not in row]
    measured = {row["name"]: row for row in rows}
    for group, where in (("paper", "at the paper's shapes"), ("grid", "in the grid")):
        names = [row["name"] for row in listed if row["group"] == group]
        found = [measured[name] for name in names if name in measured]
        yield _against_cudnn(found, where, len(names) - len(found))
    for hidden, most in MICROSECONDS.items():
        yield _of_a_step(rows, hidden, most)
    grid = [measured.get(row["name"], row) for row in listed if row["group"] == "grid"]
    yield from _of_grid(grid, capability)
