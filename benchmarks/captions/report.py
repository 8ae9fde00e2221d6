"""A run's rows as markdown and JSON, and inside docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..gpu.targets import Target
from ..nets.targets import times
from ..report import duration, grid, warning_of_load, write_files
from .rows import BATCHED, COUNTED, OURS, PREFIX, ROWS, TORCH, TUTORIAL, Loss, Search

BEGIN, END = "<!-- captions:begin -->", "<!-- captions:end -->"
LOOPS = (BATCHED, TUTORIAL, PREFIX)
HEADER = (
    "row",
    OURS,
    *(f"{name} / ours" for name in LOOPS),
    "tokens/s",
    "ms a caption",
    "MiB ours",
    "batched",
)
LOSS_HEADER = ("row", OURS, f"{TORCH} / ours", f"{COUNTED} / ours", "MiB ours", TORCH, COUNTED)
TARGET_ROWS = ("images8-beam5-words12", "images8-beam5-words20")
TIMES = {BATCHED: 3.0, TUTORIAL: 10.0}
LOSS_TIMES, LOSS_SHARE = 1.3, 0.5


def _ratio(record: dict[str, Any], name: str) -> str:
    if name not in record["ratio"]:
        return "refused"
    quartiles = record["ratio"][name]
    low, high = 1 / quartiles["high"], 1 / quartiles["low"]
    spread = "" if low == high else f" ({low:.2f} to {high:.2f})"
    return f"**{times(record, name):.2f}**{spread}"


def _peaks(record: dict[str, Any], *names: str) -> tuple[str, ...]:
    peaks = record.get("peak_bytes", {})
    return tuple(f"{peaks[name] / 2**20:.0f}" if name in peaks else "-" for name in names)


def _search_cells(row: Search, record: dict[str, Any]) -> tuple[str, ...]:
    seconds = record["median"].get(OURS)
    return (
        row.name,
        duration(seconds) if seconds else "refused",
        *(_ratio(record, name) for name in LOOPS),
        f"{row.images * row.words / seconds:.0f}" if seconds else "-",
        f"{1e3 * seconds / row.images:.1f}" if seconds else "-",
        *_peaks(record, OURS, BATCHED),
    )


def _loss_cells(record: dict[str, Any]) -> tuple[str, ...]:
    seconds = record["median"].get(OURS)
    return (
        record["name"],
        duration(seconds) if seconds else "refused",
        *(_ratio(record, name) for name in (TORCH, COUNTED)),
        *_peaks(record, OURS, TORCH, COUNTED),
    )


def _at_least(what: str, least: float, record: dict[str, Any] | None, name: str) -> Target:
    if record is None or name not in record["ratio"]:
        return Target(what, "not measured", "no figure")
    found = times(record, name)
    return Target(what, "met" if found >= least else "missed", f"{found:.2f} times")


def targets(records: list[dict[str, Any]]) -> Iterator[Target]:
    """All targets, with what the rows say about each."""
    named = {record["name"]: record for record in records}
    for row in TARGET_ROWS:
        for name, least in TIMES.items():
            yield _at_least(f"{row}: {least:g} times the {name}", least, named.get(row), name)
    loss = named.get("loss")
    yield _at_least(f"loss: {LOSS_TIMES:g} times torch", LOSS_TIMES, loss, TORCH)
    peaks = (loss or {}).get("peak_bytes")
    what = f"loss: {LOSS_SHARE:g} of torch's peak memory at most"
    if not peaks:
        yield Target(what, "not measured", "no figure")
    else:
        share = peaks[OURS] / peaks[TORCH]
        yield Target(what, "met" if share <= LOSS_SHARE else "missed", f"{share:.2f}")


def table(result: dict[str, Any]) -> str:
    """Searches, loss, targets, refusals and the machine."""
    named = {record["name"]: record for record in result["rows"]}
    searches = [
        _search_cells(row, named[row.name])
        for row in ROWS
        if isinstance(row, Search) and row.name in named
    ]
    losses = [
        _loss_cells(named[row.name]) for row in ROWS if isinstance(row, Loss) and row.name in named
    ]
    lines = []
    for header, cells in ((HEADER, searches), (LOSS_HEADER, losses)):
        if cells:
            lines += [*grid(header, cells), ""]
    found = [(target.what, target.state, target.shown) for target in targets(result["rows"])]
    lines += grid(("target", "state", "shown"), found)
    for record in result["rows"]:
        for name, reason in record["refused"].items():
            lines += ["", f"Refused in {record['name']}: {name}: {reason}"]
    if busy := warning_of_load(result["other_load"]):
        lines += ["", busy]
    machine, versions = result["machine"], result["versions"]
    lines += [
        "",
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']}, float32; torch "
        f"{versions['torch']}, lrcn_fast {versions['lrcn_fast']}, {result['date'][:10]}. Median "
        "time of a call; median and quartiles of the ratio over alternating rounds.",
        "",
    ]
    return "\n".join(lines)


def file_stem(result: dict[str, Any]) -> str:
    """Name of a machine class."""
    machine = result["machine"]
    return f"captions-cpu-{machine['isa']}-{machine['threads']}t"


def write(result: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Writes the result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))
