"""README.md and the pages in docs, from the newest results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from . import memory_report, plot, targets
from .machine import ROOT
from .report import RESULTS, Result, grid, read, update_between
from .table import file_stem, means, part, table, timed, where

README = ROOT / "README.md"
SUMMARY = ROOT / "docs" / "benchmarks.md"
PAGE = ROOT / "docs" / "benchmarks-lstm.md"
IMAGES = ROOT / "docs" / "images"
DTYPES = ("float32", "bfloat16")


def marks(name: str) -> tuple[str, str]:
    """What a generated part of a page stands between."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def published(folder: Path = RESULTS) -> list[Result]:
    """The results of the machine that was measured last: more threads first, float32 first.

    Raises:
        FileNotFoundError: there is none.
    """
    found = []
    for path in sorted(folder.glob("cpu-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["settings"]["dtype"] in DTYPES:
            found.append(result)
    if not found:
        raise FileNotFoundError(f"no result in {folder}: run `python -m benchmarks` first")
    machine = max(found, key=lambda result: str(result["date"]))["machine"]
    same = [
        result
        for result in found
        if all(result["machine"][key] == machine[key] for key in ("cpu", "cores", "isa"))
    ]
    order = {dtype: rank for rank, dtype in enumerate(DTYPES)}
    return sorted(
        same, key=lambda r: (-int(r["machine"]["threads"]), order[r["settings"]["dtype"]])
    )


def _means(results: Sequence[Result]) -> list[str]:
    """A line for each dtype and number of threads."""
    found = [means(timed(result)) for result in results]
    groups = list(dict.fromkeys(group for of_part in found for group in of_part))
    cells = [
        (part(result), *(f"{of_part[group]:.2f}" if group in of_part else "-" for group in groups))
        for result, of_part in zip(results, found)
    ]
    return grid(("geometric mean of torch / ours", *groups), cells)


def _ratios(results: Sequence[Result]) -> list[str]:
    """A line for each row with the medians of all results' ratios."""
    by_case = [{row["case"]: row for row in result["rows"]} for result in results]
    names = list(dict.fromkeys(name for rows in by_case for name in rows))
    lines = []
    for name in names:
        cells = [
            f"{rows[name]['ratio']['median']:.2f}" if "ratio" in rows.get(name, {}) else "-"
            for rows in by_case
        ]
        lines.append((name, *cells))
    return grid(("torch / ours", *map(part, results)), lines)


def update(folder: Path = RESULTS) -> list[str]:
    """Draws and writes everything anew; returns a line for each file."""
    results = published(folder)
    most = max(int(result["machine"]["threads"]) for result in results)
    full = [result for result in results if result["machine"]["threads"] == most]
    rest = [result for result in results if result not in full]
    image = plot.draw(results[0], IMAGES / f"bench-{file_stem(results[0])}.png")
    picture = f"![Speed-up over torch.nn.LSTM]({image.relative_to(ROOT).as_posix()})"
    page = [f"### {part(result)}\n\n{table(result)}" for result in full]
    if rest:
        page.append("\n".join(["### Fewer threads", "", *_ratios(rest), ""]))
    short = "\n".join([picture, "", *_means(results), "", where(results[0]), ""])
    contents = [
        (README, "bench", short),
        (SUMMARY, "lstm", "\n".join([*targets.table(results), ""])),
        (PAGE, "rows", "\n".join(page)),
    ]
    if memory := read(folder, memory_report.file_stem(results[0])):
        contents.append((PAGE, "memory", memory_report.shown(memory, IMAGES)))
    lines = []
    for path, name, content in contents:
        changed = update_between(path, *marks(name), content)
        lines.append(f"{path.name} {'now shows' if changed else 'already shows'} {name}")
    return lines
