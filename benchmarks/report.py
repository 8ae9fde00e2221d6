"""What the reports of all benchmarks have in common: figures, tables, files."""

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

QUIET = 0.1
"""Share of the machine that others may use before a result carries a warning."""


def duration(seconds: float) -> str:
    """Three significant digits in s, ms or us."""
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
    unit = next((unit for unit, scale in units.items() if seconds >= scale), "us")
    value = seconds / units[unit]
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f} {unit}"


def geometric_mean(values: list[float]) -> float:
    """Mean of ratios: of r and 1/r it is 1."""
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


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


def merge(result: Result, before: Result | None, order: Sequence[str], key: str = "name") -> None:
    """Keeps the rows that the same commit measured before, and the worse load."""
    if before is None or any(before[name] != result[name] for name in ("commit", "settings")):
        return
    measured = {row[key] for row in result["rows"]}
    kept = [row for row in before["rows"] if row[key] not in measured]
    result["rows"] = sorted(kept + result["rows"], key=lambda row: order.index(row[key]))
    if kept:
        result["other_load"] = max(result["other_load"] or 0.0, before["other_load"] or 0.0)


def write_files(folder: Path, stem: str, result: Result, text: str) -> tuple[Path, Path]:
    """Writes ``<stem>.json`` and ``<stem>.md`` into ``folder`` and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, shown = (folder / f"{stem}{suffix}" for suffix in (".json", ".md"))
    dumped = json.dumps(result, indent=1, ensure_ascii=False)
    one_line = re.sub(r"\[[-+\d.eE,\s]*\]", lambda m: re.sub(r"\s+", " ", m[0]), dumped)
    data.write_text(one_line + "\n", encoding="utf-8")
    shown.write_text(text, encoding="utf-8")
    return data, shown


def read(folder: Path, stem: str) -> Result | None:
    """The result that was written before; None where there is none."""
    path = folder / f"{stem}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


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
