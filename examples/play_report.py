"""What speed_of_play.py found, as a table on the screen and in README.md."""

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- demo:begin -->", "<!-- demo:end -->"
PLOT = Path("docs/images/speed_of_play.png")
METRICS = Path("docs/results/speed_of_play.json")


def _accuracy_rows(metrics: dict[str, Any]) -> list[list[str]]:
    rows = [["accuracy on the test, %", *(f"seed {seed}" for seed in metrics["seeds"]), "mean"]]
    for name, result in metrics["accuracy"].items():
        shares = [*result["per_seed"], result["mean"]]
        rows.append([name, *(f"{100 * share:.1f}" for share in shares)])
    rows.append(["chance", *[""] * len(metrics["seeds"]), f"{100 * metrics['chance']:.1f}"])
    return rows


def _speed_rows(metrics: dict[str, Any]) -> list[list[str]]:
    speeds = metrics["frames_per_second"]
    names = list(speeds["training"])
    rows = [["frames per second, one thread", *speeds]]
    for name in names:
        rows.append([f"with {name}", *(f"{speeds[mode][name]:,.0f}" for mode in speeds)])
    ratios = (speeds[mode][names[0]] / speeds[mode][names[1]] for mode in speeds)
    rows.append(["ratio", *(f"{ratio:.2f}" for ratio in ratios)])
    return rows


def _grid(rows: list[list[str]]) -> list[str]:
    """Markdown, padded so that it reads as well in a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def table(metrics: dict[str, Any]) -> str:
    """The content of metrics.json as two markdown tables and a line about the machine."""
    machine = metrics["machine"]
    about = (
        f"{machine['cpu']}, {machine['cores']} cores; torch {machine['torch']}, "
        f"lrcn_fast {machine['lrcn_fast']}, {machine['date'][:10]}; "
        f"{metrics['seconds']:.0f} seconds in all."
    )
    grids = [_grid(_accuracy_rows(metrics)), _grid(_speed_rows(metrics))]
    return "\n".join(["", *grids[0], "", *grids[1], "", about])


def publish(out: Path) -> None:
    """Copy plot and metrics of a run into docs, and put them into README.md.

    Raises:
        SystemExit: the run in ``out`` is not finished, or README.md has no place for it.
    """
    source = out / "metrics.json"
    if not source.is_file():
        raise SystemExit(f"{source} is missing: run the demo to its end first")
    for path, origin in ((METRICS, source), (PLOT, out / "speed_of_play.png")):
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, ROOT / path)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"README.md: expected one {BEGIN} and one {END}")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    metrics = json.loads(source.read_text(encoding="utf-8"))
    image = f"![Learning curves, the task, and predictions over a stream of frames]({PLOT})"
    block = f"{BEGIN}\n{image}\n{table(metrics)}\n{END}"
    readme.write_text(head + block + tail, encoding="utf-8")
