"""A run's rows as markdown and JSON, and inside docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..report import duration, grid, warning_of_load, write_files
from .rows import OURS, TORCH

BEGIN, END = "<!-- features:begin -->", "<!-- features:end -->"
HEADER = ("row", OURS, "others", "fastest of them / ours", "target", f"MB {OURS}", TORCH, "least")


def _quartiles(record: dict[str, Any], name: str) -> tuple[float, float, float]:
    """Low, median and high of another's time over ours."""
    low, median, high = (1 / record["ratio"][name][key] for key in ("high", "median", "low"))
    return low, median, high


def _verdict(record: dict[str, Any], fastest: str) -> str:
    least, against = record["least"], record["against"] or fastest
    if least is None or against not in record["ratio"]:
        return "-"
    times = _quartiles(record, against)[1]
    named = f" times {record['against']}: {times:.2f}," if record["against"] else ""
    return f"{least:g}{named} {'met' if times >= least else 'missed'}"


def _megabytes(record: dict[str, Any]) -> tuple[str, ...]:
    counts = (*(record["bytes"].get(name) for name in (OURS, TORCH)), record["least_bytes"])
    return tuple("-" if count is None else f"{count / 1e6:.1f}" for count in counts)


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    median, ratio = record["median"], record["ratio"]
    others = "; ".join(f"{name} {duration(median[name])}" for name in ratio)
    row = f"{record['name']}: {record['label']}"
    if OURS not in median or not ratio:
        return row, "refused", others, "-", "-", *_megabytes(record)
    fastest = min(ratio, key=lambda name: float(median[name]))
    low, middle, high = _quartiles(record, fastest)
    shown = f"**{middle:.2f}** ({low:.2f} to {high:.2f})"
    verdict = _verdict(record, fastest)
    return row, duration(median[OURS]), others, shown, verdict, *_megabytes(record)


def lines(records: list[dict[str, Any]], other_load: float | None) -> Iterator[str]:
    """The table, refusals, and a warning where others were busy."""
    yield from grid(HEADER, [_cells(record) for record in records])
    for record in records:
        for name, reason in record["refused"].items():
            yield f"Refused in {record['name']}: {name}: {reason}"
    if busy := warning_of_load(other_load):
        yield from ("", busy)


def table(result: dict[str, Any]) -> str:
    """All of it, and the machine."""
    machine, versions = result["machine"], result["versions"]
    return "\n".join(
        [
            *lines(result["rows"], result["other_load"]),
            "",
            f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}; torch "
            f"{versions['torch']}, lrcn_fast {versions['lrcn_fast']}, {result['date'][:10]}. "
            "Median time of a call; median and quartiles of the ratio over alternating rounds. "
            "Bytes are those of all operations' arguments and results; the least reads the input "
            "once and writes the result once, with a backward also what it needs and its result.",
            "",
        ]
    )


def file_stem(result: dict[str, Any]) -> str:
    """Name of a machine class."""
    machine = result["machine"]
    return f"features-cpu-{machine['isa']}-{machine['threads']}t"


def write(result: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Writes the result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))
