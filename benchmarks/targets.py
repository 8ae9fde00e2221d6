"""What the LSTM is to reach on a CPU, and whether a result shows that it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .gpu.targets import Target
from .report import Result, geometric_mean, grid
from .shapes import cases
from .table import GROUPS, part

Holds = Callable[[dict[str, Any]], bool]
STREAMED = 1000
"""H of the streaming steps that have a target."""


@dataclass(frozen=True)
class Goal:
    """A least ratio of torch's time to ours, of each row or as the geometric mean of all rows."""

    what: str
    least: float
    holds: Holds
    mean: bool = False
    dtypes: tuple[str, ...] = ("float32", "bfloat16")


def _single_row(row: dict[str, Any]) -> bool:
    shape = row["shape"]
    return row["mode"] != "step" and shape["batch"] == 1 and shape["sequences"] == "padded"


def _streamed(row: dict[str, Any]) -> bool:
    shape = row["shape"]
    return row["mode"] == "step" and not shape["cell"] and shape["hidden_size"] == STREAMED


GOALS = (
    Goal("every row", 1.0, lambda row: True),
    Goal("padded training, geometric mean", 1.4, GROUPS["training"], mean=True),
    Goal("padded inference, geometric mean", 1.15, GROUPS["inference"], mean=True),
    Goal("the same in bfloat16", 1.3, GROUPS["inference"], mean=True, dtypes=("bfloat16",)),
    Goal("sequences with B=1, each", 1.5, _single_row),
    Goal(f"streaming steps, H={STREAMED}, each", 4.0, _streamed),
    Goal("PackedSequence, each", 10.0, GROUPS["lengths and PackedSequence"]),
)


def found(goal: Goal, result: Result) -> Target:
    """The goal with the geometric mean, or with the row that is the furthest behind.

    Where it would be missed by kernels at the measured peak as well, it says what these reach.
    """
    rows = [row for row in result["rows"] if goal.holds(row)]
    if refused := [row["case"] for row in rows if "refused" in row]:
        return Target(goal.what, "missed", f"refused: {', '.join(refused)}")
    measured = {row["case"] for row in result["rows"]}
    if lacking := [case.name for case in cases() if case.name not in measured]:
        return Target(goal.what, "not measured", f"{len(lacking)} rows lacking")
    ratios = [(float(row["ratio"]["median"]), row["case"]) for row in rows]
    limits = [1 / float(row["share_of_peak"]["torch"]) for row in rows]
    if goal.mean:
        figure, limit = geometric_mean([ratio for ratio, _ in ratios]), geometric_mean(limits)
        shown = f"{figure:.2f}"
    else:
        (figure, name), limit = min(ratios), min(limits)
        behind = sum(ratio < goal.least for ratio, _ in ratios)
        shown = f"{figure:.2f} in {name}" + (f", {behind} of {len(ratios)} rows" if behind else "")
    if figure >= goal.least:
        return Target(goal.what, "met", shown)
    if limit < goal.least:
        shown += f"; at the peak {limit:.2f}"
    return Target(goal.what, "missed", shown)


def table(results: Sequence[Result]) -> list[str]:
    """A line for each goal, a column for each dtype and number of threads."""
    lines = []
    for goal in GOALS:
        cells = []
        for result in results:
            if result["settings"]["dtype"] not in goal.dtypes:
                cells.append("")
                continue
            target = found(goal, result)
            cells.append(f"{target.state}: {target.shown}")
        lines.append((goal.what, f"{goal.least:g}", *cells))
    return grid(("torch / ours", "at least", *map(part, results)), lines)
