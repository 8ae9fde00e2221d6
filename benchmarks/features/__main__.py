"""``python -m benchmarks.features``: operators on frames and feature maps beside torch's."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from .. import machine
from ..report import RESULTS, update_between
from ..run import thread_count
from . import frames, maps, report
from .measure import BUDGET, QUICK, measure
from .rows import OURS, TORCH

ROWS = (*frames.ROWS, *maps.ROWS)
SCRATCH = machine.ROOT / "build" / "benchmarks"
DOCS = machine.ROOT / "docs" / "benchmarks.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--filter", default="", help="only rows with this in their name")
    parser.add_argument("--quick", action="store_true", help="the figures mean nothing")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for JSON and table (default: benchmarks/results; build/benchmarks with "
        "--quick or --filter, which measure too little to be published)",
    )
    parser.add_argument(
        "--update-docs",
        action="store_true",
        help="run nothing: put the table of this machine's result into docs/benchmarks.md",
    )
    return parser


def _update_docs(folder: Path, threads: int) -> None:
    stem = report.file_stem({"machine": {"isa": machine.cpu_isa(), "threads": threads}})
    result = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    changed = update_between(DOCS, report.BEGIN, report.END, report.table(result))
    print(f"{DOCS.name} {'now shows' if changed else 'already shows'} {stem}")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a check refused lrcn_fast; 2 when nothing can be measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    partial = options.quick or bool(options.filter)
    folder = options.output or (SCRATCH if partial else RESULTS)
    if options.update_docs:
        _update_docs(folder, options.threads)
        return 0
    rows = [row for row in ROWS if options.filter in row.name]
    if not rows:
        print(f"--filter {options.filter}: none of {', '.join(row.name for row in ROWS)}")
        return 2
    with thread_count(options.threads):
        result = machine.describe()
        result["settings"] = {"quick": options.quick}
        result["rows"] = []
        load = machine.OtherLoad()
        for number, row in enumerate(rows, 1):
            print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
            result["rows"].append(measure(row, QUICK if options.quick else BUDGET))
        result["other_load"] = load.share()
    written = report.write(result, folder)
    print(report.table(result))
    print("\n".join(f"wrote {path}" for path in written))
    refused = [row["refused"].keys() for row in result["rows"]]
    return 1 if any({OURS, TORCH} & names for names in refused) else 0


if __name__ == "__main__":
    raise SystemExit(main())
