"""``python -m benchmarks.captions``: beam search and loss of the 2f captioner beside torch's."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import torch

from .. import command, machine
from ..command import DOCS, SCRATCH
from ..report import RESULTS, merge, read, update_between
from ..run import thread_count
from . import report
from .measure import BUDGET, QUICK, measure, peak_in_fresh_process
from .rows import BATCHED, OURS, ROWS, Loss, Row


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "benchmarks.captions",
        __doc__,
        "benchmarks/results, where rows measured before by the same commit are kept; "
        "build/benchmarks with --quick",
    )
    command.add_memory(parser)
    command.add_update(parser)
    return parser


def _run(rows: list[Row], *, threads: int, with_memory: bool, quick: bool) -> dict[str, Any]:
    with thread_count(threads):
        result = machine.describe()
        result["settings"] = {"quick": quick}
        result["rows"] = []
        load = machine.OtherLoad()
        for number, row in enumerate(rows, 1):
            print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
            record = measure(row, QUICK if quick else BUDGET)
            if with_memory:
                names = row.peers if isinstance(row, Loss) else (OURS, BATCHED)
                record["peak_bytes"] = {
                    name: peak_in_fresh_process(row, name, threads) for name in names
                }
            result["rows"].append(record)
        result["other_load"] = load.share()
    return result


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a check refused anyone; 2 when nothing can be measured or shown."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    threads = options.threads or torch.get_num_threads()
    folder = options.output or (SCRATCH if options.quick else RESULTS)
    present = {"machine": {"isa": machine.cpu_isa(), "threads": threads}}
    before = read(folder, report.file_stem(present))
    if options.update_docs:
        if before is None:
            print(f"--update-docs: {folder} has no result of this machine", file=sys.stderr)
            return 2
        changed = update_between(DOCS, report.BEGIN, report.END, report.table(before))
        print(f"{DOCS.name} {'now shows' if changed else 'already shows'} {folder}")
        return 0
    parts = [part.strip() for part in options.filter.split(",")]
    rows = [row for row in ROWS if any(part in row.name for part in parts)]
    if not rows:
        print(f"--filter {options.filter}: no such row; --list shows all", file=sys.stderr)
        return 2
    result = _run(rows, threads=threads, with_memory=not options.no_memory, quick=options.quick)
    refused = any(row["refused"] for row in result["rows"])
    merge(result, before, [row.name for row in ROWS])
    written = report.write(result, folder)
    print(report.table(result))
    print("\n".join(f"wrote {path}" for path in written))
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
