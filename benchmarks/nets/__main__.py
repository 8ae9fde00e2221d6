"""``python -m benchmarks.nets``: whole networks beside the same ones in torch; table and JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

import torch

from .. import command, machine
from ..command import DOCS, SCRATCH
from ..report import RESULTS, update_between
from ..run import thread_count
from . import memory, report
from .cases import CASES, Case, cases
from .measure import BUDGET, QUICK, measure
from .peers import EAGER, OURS


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "benchmarks.nets",
        __doc__,
        "benchmarks/results; build/benchmarks with --quick or --filter, which measure too little "
        "to be published",
    )
    command.add_memory(parser)
    command.add_update(parser)
    parser.add_argument(
        "--large", action="store_true", help="the rows of 256 frames, in files of their own"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    return parser


def run(
    rows: list[Case],
    *,
    threads: int,
    compiled: bool,
    with_memory: bool,
    quick: bool,
    large: bool = False,
) -> dict[str, Any]:
    """Measures every row and returns the result that ``report.write`` stores."""
    with thread_count(threads):
        result = machine.describe()
        result["settings"] = {"quick": quick, "compiled": compiled, "large": large}
        result["rows"] = []
        load = machine.OtherLoad()
        for number, case in enumerate(rows, 1):
            print(f"[{number}/{len(rows)}] {case.name}", file=sys.stderr, flush=True)
            row = measure(case, compiled=compiled, budget=QUICK if quick else BUDGET)
            if with_memory:
                names = (OURS, *EAGER)
                row["peak_bytes"] = {n: memory.in_fresh_process(case, n, threads) for n in names}
            result["rows"].append({**row, "case": asdict(case)})
        result["other_load"] = load.share()
    return result


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a check refused lrcn_fast; 2 when nothing can be measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(case.name for case in CASES))
        return 0
    threads = options.threads or torch.get_num_threads()
    partial = options.quick or bool(options.filter)
    folder = options.output or (SCRATCH if partial else RESULTS)
    if options.update_docs:
        description = {"machine": {"isa": machine.cpu_isa(), "threads": threads}}
        stem = report.file_stem({**description, "settings": {"large": options.large}})
        result = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
        marks = report.LARGE_MARKS if options.large else report.MARKS
        changed = update_between(DOCS, *marks, report.table(result))
        print(f"{DOCS.name} {'now shows' if changed else 'already shows'} {stem}")
        return 0
    rows = list(cases(options.filter))
    if options.large:
        rows = [case for case in CASES if case.large]
    if not rows:
        print(f"--filter {options.filter}: no such row; --list shows all", file=sys.stderr)
        return 2
    result = run(
        rows,
        large=options.large,
        threads=threads,
        compiled=not options.no_compile,
        with_memory=not options.no_memory,
        quick=options.quick,
    )
    written = report.write(result, folder)
    print(report.table(result))
    print("\n".join(f"wrote {path}" for path in written))
    return 1 if any(OURS in row["refused"] for row in result["rows"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
