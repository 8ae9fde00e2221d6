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
LABEL_SHARE = 0.12


def draw(result: dict[str, Any], path: Path) -> Path:
    """Writes a PNG of horizontal bars, grouped by mode, with a line where both are equally fast.

    It is 1600 pixels wide and meant to be shown at 800.

    Raises:
        ValueError: when no row was timed.
    """
    from matplotlib.figure import Figure

    rows = [row for row in result["rows"] if "refused" not in row]
    if not rows:
        raise ValueError("nothing to draw: expected at least one row that was timed")
    groups = list(dict.fromkeys(row["mode"] for row in rows))
    height_units = len(rows) + 1.5 * len(groups)
    figure = Figure(figsize=(8, 1.0 + 0.26 * height_units), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    limit = max(1.25, 1.04 * max(row["ratio"]["median"] for row in rows))

    position, ticks, labels = 0.0, [], []
    for mode in groups:
        axes.text(0, position, TITLES[mode], va="center", weight="bold", color=INK, size=10)
        top = position + 0.4
        for row in (row for row in rows if row["mode"] == mode):
            position += 1
            ratio = row["ratio"]["median"]
            axes.barh(position, ratio, height=0.74, color=COLOURS[mode], linewidth=0)
            inside = ratio > LABEL_SHARE * limit
            axes.text(
                ratio - 0.008 * limit if inside else max(ratio, 1.0) + 0.012 * limit,
                position,
                f"{ratio:.2f}x",
                ha="right" if inside else "left",
                va="center_baseline",
                color="white" if inside else INK,
                size=9.5,
            )
            ticks.append(position)
            labels.append(row["label"])
        axes.vlines(1.0, top, position + 0.6, color=INK, linewidth=1.2, zorder=0.9)
        position += 1.5
    axes.set_yticks(ticks, labels, size=9.5, color=INK)
    axes.set_ylim(position - 0.8, -0.6)
    axes.set_xlim(0, limit)
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="x", labelsize=9.5, labelcolor=INK)
    axes.grid(axis="x", color=FAINT, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    machine, settings = result["machine"], result["settings"]
    figure.suptitle("Speed-up of lrcn_fast over torch.nn.LSTM", size=12, weight="bold", color=INK)
    axes.set_xlabel(
        "time of torch.nn.LSTM / time of lrcn_fast\n"
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}, {settings['dtype']}",
        size=9.5,
        color=INK,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return path
