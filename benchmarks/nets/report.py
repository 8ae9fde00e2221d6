"""A run's result as markdown, and inside docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..report import duration, grid, warning_of_load, write_files
from .peers import CHANNELS_LAST, COMPILED, EAGER, OURS, PADDED, PRODUCTS, TORCH
from .targets import fastest, targets, times

MARKS = "<!-- nets:begin -->", "<!-- nets:end -->"
LARGE_MARKS = "<!-- nets-large:begin -->", "<!-- nets-large:end -->"
SHOWN = (OURS, TORCH, CHANNELS_LAST, *COMPILED)
HEADER = ("case", *SHOWN, "fastest torch / ours", "frames/s", "MB a frame", "torch", "least")


def _ratio(row: dict[str, Any]) -> str:
    peer = fastest(row, (*EAGER, *COMPILED))
    if peer is None or OURS not in row["median"]:
        return "refused"
    quartiles = row["ratio"][peer]
    low, high = 1 / quartiles["high"], 1 / quartiles["low"]
    return f"**{times(row, peer):.2f}** ({low:.2f} to {high:.2f})"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    median, moved = row["median"], row["bytes"]
    megabytes = [moved.get(name) for name in (OURS, TORCH)] + [row["least_bytes"]]
    return (
        f"{row['name']}: {row['label']}",
        *(duration(median[name]) if name in median else "-" for name in SHOWN),
        _ratio(row),
        f"{row['frames_per_second'][OURS]:.0f}" if OURS in median else "-",
        *("-" if count is None else f"{count / 1e6:.1f}" for count in megabytes),
    )


def _notes(result: dict[str, Any]) -> Iterator[str]:
    for row in result["rows"]:
        if PRODUCTS in row["median"]:
            alone = duration(row["median"][PRODUCTS])
            yield f"{row['name']}: torch's convolutions and fc6 alone, channels_last: {alone}."
        for name, reason in row["refused"].items():
            yield f"Refused in {row['name']}: {name}: {reason}"
        if PADDED in row["median"]:
            computed = times(row, PADDED)
            yield (
                f"{row['name']}: with the {row['padding']:.0%} of padding computed too, "
                f"{duration(row['median'][PADDED])}, {computed:.2f} times as long."
            )
    peaks = [row for row in result["rows"] if "peak_bytes" in row]
    if peaks:
        told = (
            f"{row['name']} "
            + ", ".join(f"{name} {size / 2**20:.0f}" for name, size in row["peak_bytes"].items())
            for row in peaks
        )
        yield f"Peak memory beside weights, MiB: {'; '.join(told)}."
    if busy := warning_of_load(result["other_load"]):
        yield busy
    machine, versions = result["machine"], result["versions"]
    yield (
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}, float32; torch "
        f"{versions['torch']}, lrcn_fast {versions['lrcn_fast']}, {result['date'][:10]}. "
        "Median time of a call; median and quartiles of the ratio over alternating rounds. Bytes "
        "are those of all operations' arguments and results, weights apart; the least is that of "
        "layers that read their input once and write their pooled, normalised output once."
    )


def rows_grid(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as lines of a markdown table."""
    return grid(HEADER, [_cells(row) for row in rows])


def table(result: dict[str, Any]) -> str:
    """All rows, then targets, refusals, memory and the machine."""
    lines = rows_grid(result["rows"])
    if not result["settings"].get("large"):
        found = [(target.what, target.state, target.shown) for target in targets(result["rows"])]
        lines += ["", *grid(("target", "state", "shown"), found)]
    for note in _notes(result):
        lines += ["", note]
    return "\n".join(lines) + "\n"


def file_stem(result: dict[str, Any]) -> str:
    """Name of a machine class."""
    machine = result["machine"]
    large = "-large" if result["settings"].get("large") else ""
    return f"nets{large}-cpu-{machine['isa']}-{machine['threads']}t"


def write(result: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Writes the result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))
