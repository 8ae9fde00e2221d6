"""What the GPU kernels are to reach, and whether a result shows that they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LARGEST_BATCH = 64
MICROSECONDS = {256: 3.0, 1024: 6.0}
"""By H: a forward step in bfloat16 takes less, for batches up to the largest."""


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

    def __str__(self) -> str:
        return f"{self.what}: {self.state} ({self.shown})"


def per_step(row: dict[str, Any], seconds: float) -> float:
    """Microseconds for each step of each layer."""
    shape = row["shape"]
    return seconds * 1e6 / (shape["steps"] * shape["num_layers"])


def _against_cudnn(rows: list[dict[str, Any]], lacking: int) -> Target:
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
    what = "never slower than cuDNN at the paper's shapes"
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


def targets(bench: dict[str, Any], paper: list[str]) -> Iterator[Target]:
    """All targets.

    Args:
        bench: the bench part's record.
        paper: the names of all rows of the paper's shapes.
    """
    rows = [row for row in bench.get("rows", []) if "modes" in row and "failed" not in row]
    of_paper = [row for row in rows if row["name"] in paper]
    yield _against_cudnn(of_paper, len(paper) - len(of_paper))
    for hidden, most in MICROSECONDS.items():
        yield _of_a_step(rows, hidden, most)
