"""A run's result as JSON, as a markdown table, and inside README."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .machine import ROOT

Result = dict[str, Any]

RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

QUIET = 0.1
"""Share of the machine that others may use before a result carries a warning."""

HEADER = (
    "mode",
    "case",
    "shape",
    "torch.nn.LSTM",
    "lrcn_fast",
    "torch / ours",
    "GFLOP/s torch",
    "ours",
)


def file_stem(result: Result) -> str:
    """Name of a machine class: device, instruction set, threads, and a dtype that isn't float32."""
    machine, dtype = result["machine"], result["settings"]["dtype"]
    stem = f"cpu-{machine['isa']}-{machine['threads']}t"
    return stem if dtype == "float32" else f"{stem}-{dtype}"


def duration(seconds: float) -> str:
    """Three significant digits in s, ms or us."""
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
    unit = next((unit for unit, scale in units.items() if seconds >= scale), "us")
    value = seconds / units[unit]
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f} {unit}"


def geometric_mean(values: list[float]) -> float:
    """Mean of ratios: of r and 1/r it is 1."""
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def _cells(row: Result) -> tuple[str, ...]:
    if "refused" in row:
        return row["mode"], row["name"], row["label"], "-", "-", "refused", "-", "-"
    ratio = row["ratio"]
    return (
        row["mode"],
        row["name"],
        row["label"],
        duration(row["median"]["torch"]),
        duration(row["median"]["lrcn_fast"]),
        f"**{ratio['median']:.2f}** ({ratio['low']:.2f} to {ratio['high']:.2f})",
        f"{row['gflops']['torch']:.3g}",
        f"{row['gflops']['lrcn_fast']:.3g}",
    )


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown table, padded so that it reads as well in a terminal."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (header, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def warning_of_load(other_load: float | None) -> str | None:
    """What to say where others were busy while the figures were taken."""
    if (other_load or 0.0) <= QUIET:
        return None
    return (
        f"Other programs used {other_load:.0%} of this machine during the run: "
        "these figures, the ratios too, are not to be trusted."
    )


def table(result: Result) -> str:
    """The rows, then geometric means, memory, refusals and the machine, as markdown."""
    lines = grid(HEADER, [_cells(row) for row in result["rows"]])
    timed = [row for row in result["rows"] if "refused" not in row]
    if timed:
        means = []
        for mode in dict.fromkeys(row["mode"] for row in timed):
            mean = geometric_mean([row["ratio"]["median"] for row in timed if row["mode"] == mode])
            means.append(f"{mode} {mean:.2f}")
        slowest = min(timed, key=lambda row: float(row["ratio"]["median"]))
        lines += [
            "",
            f"Geometric means of torch / ours: {', '.join(means)}. Lowest: {slowest['name']} "
            f"({slowest['mode']}) {slowest['ratio']['median']:.2f}.",
        ]
    if memory := result.get("memory"):
        mebibytes = {name: count / 2**20 for name, count in memory["bytes"].items()}
        lines += [
            "",
            f"Peak memory of training ({memory['label']}): "
            f"torch.nn.LSTM {mebibytes['torch']:.0f} MiB, "
            f"lrcn_fast {mebibytes['lrcn_fast']:.0f} MiB, torch / ours {memory['ratio']:.2f}.",
        ]
    for row in result["rows"]:
        if "refused" in row:
            lines += ["", f"Refused: {row['refused']}"]
    if busy := warning_of_load(result["other_load"]):
        lines += ["", busy]
    machine, versions = result["machine"], result["versions"]
    lines += [
        "",
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}, "
        f"{result['settings']['dtype']}; torch {versions['torch']}, lrcn_fast "
        f"{versions['lrcn_fast']}, {result['date'][:10]}. Median time of a call; median and "
        "quartiles of the ratio over alternating pairs.",
    ]
    return "\n".join(lines) + "\n"


def write_files(folder: Path, stem: str, result: Result, text: str) -> tuple[Path, Path]:
    """Writes ``<stem>.json`` and ``<stem>.md`` into ``folder`` and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, shown = (folder / f"{stem}{suffix}" for suffix in (".json", ".md"))
    dumped = json.dumps(result, indent=1, ensure_ascii=False)
    one_line = re.sub(r"\[[-+\d.eE,\s]*\]", lambda m: re.sub(r"\s+", " ", m[0]), dumped)
    data.write_text(one_line + "\n", encoding="utf-8")
    shown.write_text(text, encoding="utf-8")
    return data, shown


def write(result: Result, folder: Path) -> tuple[Path, Path]:
    """Writes a result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))


def newest(folder: Path = RESULTS, dtype: str = "float32") -> Path:
    """The result file of ``dtype`` in ``folder`` with the latest date.

    Raises:
        FileNotFoundError: when there is none.
    """
    dated = []
    for path in folder.glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        # Results of GPUs lie in the same folder and have a form of their own.
        if result.get("settings", {}).get("dtype") == dtype:
            dated.append((result["date"], path))
    if not dated:
        raise FileNotFoundError(f"no {dtype} result in {folder}: run `python -m benchmarks` first")
    return max(dated)[1]


def update_between(path: Path, begin: str, end: str, content: str) -> bool:
    """Puts ``content`` between two markers of a file; returns whether the file changed.

    Raises:
        ValueError: when the file lacks one of the markers, or has one twice.
    """
    old = path.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise ValueError(f"{path}: expected {begin} and then {end}, once each")
    new = old[: old.index(begin)] + f"{begin}\n{content}" + old[old.index(end) :]
    if new != old:
        path.write_text(new, encoding="utf-8")
    return new != old


def update_readme(result: Result, image: Path, readme: Path) -> bool:
    """Puts plot and table between the two markers; returns whether the file changed.

    Raises:
        ValueError: when the file lacks one of the markers, or has one twice.
    """
    picture = Path(image).resolve().relative_to(readme.resolve().parent).as_posix()
    content = f"![Speed-up over torch.nn.LSTM]({picture})\n\n{table(result)}"
    return update_between(readme, BEGIN, END, content)
