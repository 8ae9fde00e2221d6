"""``python -m benchmarks.features``: operators on frames beside torch's operations; a table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import torch

from .. import machine
from ..report import QUIET, duration, grid
from ..run import thread_count
from . import frames
from .measure import BUDGET, QUICK, measure
from .rows import OURS, TORCH

ROWS = (*frames.ROWS,)
HEADER = ("row", OURS, "others", "fastest of them / ours", "target", "GB/s of the least bytes")


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    median, ratio = record["median"], record["ratio"]
    others = "; ".join(f"{name} {duration(median[name])}" for name in ratio)
    if OURS not in median or not ratio:
        return f"{record['name']}: {record['label']}", "refused", others, "-", "-", "-"
    fastest = min(ratio, key=lambda name: float(median[name]))
    low, middle, high = (1 / ratio[fastest][key] for key in ("high", "median", "low"))
    least = record["least"]
    verdict = "-" if least is None else f"{least:g} {'met' if middle >= least else 'missed'}"
    return (
        f"{record['name']}: {record['label']}",
        duration(median[OURS]),
        others,
        f"**{middle:.2f}** ({low:.2f} to {high:.2f})",
        verdict,
        f"{record['least_bytes'] / median[OURS] / 1e9:.1f}",
    )


def lines(records: list[dict[str, Any]], other_load: float | None) -> Iterator[str]:
    """The table, refusals, and a warning where others were busy."""
    yield from grid(HEADER, [_cells(record) for record in records])
    for record in records:
        for name, reason in record["refused"].items():
            yield f"Refused in {record['name']}: {name}: {reason}"
    if (other_load or 0.0) > QUIET:
        yield (
            f"Other programs used {other_load:.0%} of this machine during the run: "
            "these figures, the ratios too, are not to be trusted."
        )


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a check refused lrcn_fast; 2 when nothing can be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--filter", default="", help="only rows with this in their name")
    parser.add_argument("--quick", action="store_true", help="the figures mean nothing")
    options = parser.parse_args(arguments)
    rows = [row for row in ROWS if options.filter in row.name]
    if not rows:
        print(f"--filter {options.filter}: none of {', '.join(row.name for row in ROWS)}")
        return 2
    with thread_count(options.threads):
        load = machine.OtherLoad()
        records = [measure(row, QUICK if options.quick else BUDGET) for row in rows]
        print("\n".join(lines(records, load.share())))
    return 1 if any({OURS, TORCH} & record["refused"].keys() for record in records) else 0


if __name__ == "__main__":
    raise SystemExit(main())
