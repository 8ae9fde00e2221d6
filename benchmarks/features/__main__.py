"""``python -m benchmarks.features``: operators on frames and feature maps beside torch's."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from .. import command, machine
from ..command import DOCS, SCRATCH
from ..report import RESULTS, update_between
from ..run import thread_count
from . import frames, maps, report
from .measure import BUDGET, QUICK, measure
from .rows import OURS, TORCH

ROWS = (*frames.ROWS, *maps.ROWS)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "benchmarks.features",
        __doc__,
        "benchmarks/results; build/benchmarks with --quick or --filter, which measure too little "
        "to be published",
    )
    command.add_update(parser)
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
    threads = options.threads or torch.get_num_threads()
    partial = options.quick or bool(options.filter)
    folder = options.output or (SCRATCH if partial else RESULTS)
    if options.update_docs:
        _update_docs(folder, threads)
        return 0
    parts = [part.strip() for part in options.filter.split(",")]
    rows = [row for row in ROWS if any(part in row.name for part in parts)]
    if not rows:
        print(f"--filter {options.filter}: none of {', '.join(row.name for row in ROWS)}")
        return 2
    with thread_count(threads):
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
