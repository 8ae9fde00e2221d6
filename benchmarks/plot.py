"""The picture of a result: one bar per row, as long as torch.nn.LSTM's time over ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INK, FAINT = "#1f2933", "#9aa5b1"
COLOURS = {"inference": "#2f6fb0", "training": "#b9561a", "step": "#33804c"}
TITLES = {
    "inference": "Inference",
    "training": "Training (forward and backward)",
    "step": "Single step, state carried",
}
SHORTEST, LONGEST = 0.8, 1.25
"""Ratios that the axis shows at least."""


def axes_of(height: float) -> tuple[Any, Any]:
    """A figure 1600 pixels wide, meant to be shown at 800, and its axes without a frame."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(axis="both", length=0, which="both", labelsize=9.5, labelcolor=INK)
    axes.grid(axis="x", color=FAINT, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    return figure, axes


def save(figure: Any, path: Path) -> Path:
    """Writes a PNG that is the same for the same figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return path


def draw(result: dict[str, Any], path: Path) -> Path:
    """Writes a PNG of horizontal bars on a logarithmic axis, grouped by mode.

    They begin where both are equally fast.

    Raises:
        ValueError: when no row was timed.
    """
    rows = [row for row in result["rows"] if "refused" not in row]
    if not rows:
        raise ValueError("nothing to draw: expected at least one row that was timed")
    groups = list(dict.fromkeys(row["mode"] for row in rows))
    figure, axes = axes_of(1.0 + 0.26 * (len(rows) + 1.5 * len(groups)))
    ratios = [row["ratio"]["median"] for row in rows]
    low, high = 0.75 * min(SHORTEST, *ratios), 1.25 * max(LONGEST, *ratios)

    axes.set_xscale("log")
    position, ticks, labels = 0.0, [], []
    for mode in groups:
        axes.text(low, position, TITLES[mode], va="center", weight="bold", color=INK, size=10)
        top = position + 0.4
        for row in (row for row in rows if row["mode"] == mode):
            position += 1
            ratio = row["ratio"]["median"]
            axes.barh(position, ratio - 1, left=1, height=0.74, color=COLOURS[mode], linewidth=0)
            axes.annotate(
                f"{ratio:.2f}x",
                (ratio, position),
                xytext=(4 if ratio >= 1 else -4, 0),
                textcoords="offset points",
                ha="left" if ratio >= 1 else "right",
                va="center_baseline",
                color=INK,
                size=9.5,
            )
            ticks.append(position)
            labels.append(row["label"])
        axes.vlines(1.0, top, position + 0.6, color=INK, linewidth=1.2)
        position += 1.5
    axes.set_yticks(ticks, labels)
    axes.set_ylim(position - 0.8, -0.6)
    axes.set_xlim(low, high)
    marks = [mark for mark in (0.5, 1, 2, 5, 10, 20, 50, 100) if low <= mark <= high]
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.set_xticks([], minor=True)
    machine, settings = result["machine"], result["settings"]
    figure.suptitle("Speed-up of lrcn_fast over torch.nn.LSTM", size=12, weight="bold", color=INK)
    axes.set_xlabel(
        "time of torch.nn.LSTM / time of lrcn_fast\n"
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}, {settings['dtype']}",
        size=9.5,
        color=INK,
    )
    return save(figure, path)
