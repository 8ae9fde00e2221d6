"""``python -m benchmarks``: lrcn_fast, torch.nn.LSTM and ONNX Runtime side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from . import command, documents, memory, memory_report, plot, table
from .command import SCRATCH
from .peers import lrcn_fast_peer
from .report import RESULTS, merge, read
from .run import run
from .shapes import DTYPES, Case, cases


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "benchmarks",
        f"{__doc__} All dtypes and thread counts, the memory of training, README.md and docs; or "
        "parts of it, of which --update-readme makes the whole.",
        "benchmarks/results, where rows measured before by the same commit are kept; "
        "build/benchmarks with --quick",
        threads="intra-op threads (default: torch's own choice, then 1)",
    )
    command.add_memory(parser)
    parser.add_argument(
        "--dtype", choices=DTYPES, help=f"(default: {', then '.join(documents.DTYPES)})"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="time per row (default: %(default)s)"
    )
    parser.add_argument(
        "--update-readme",
        action="store_true",
        help="run nothing: put plots and tables of the newest results into README.md and docs",
    )
    return parser


def _progress(rows: list[Case]) -> Iterable[Case]:
    """The rows with a progress bar, or with a line each where tqdm is missing."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        for number, case in enumerate(rows, 1):
            print(f"[{number}/{len(rows)}] {case.name}", file=sys.stderr, flush=True)
            yield case
        return
    with tqdm(rows, unit="row") as bar:
        for case in bar:
            bar.set_description(case.name)
            yield case


def _extension_missing() -> str | None:
    from lrcn_fast import _loader

    return _loader.reason if _loader.load() is None else None


def _update_documents(folder: Path) -> int:
    try:
        print("\n".join(documents.update(folder)))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run_part(options: argparse.Namespace, rows: list[Case], dtype: str, threads: int) -> bool:
    """Runs the rows with a dtype and a number of threads, and writes them; False if any failed."""
    print(f"{dtype}, {threads} threads", file=sys.stderr)
    result = run(
        rows,
        lrcn_fast_peer(),
        dtype=dtype,
        threads=threads,
        seconds=options.seconds,
        quick=options.quick,
        progress=_progress,
    )
    passed = not any("refused" in row for row in result["rows"])
    folder = options.output or (SCRATCH if options.quick else RESULTS)
    merge(result, read(folder, table.file_stem(result)), [case.name for case in cases()], "case")
    written = list(table.write(result, folder))
    if folder != RESULTS and table.timed(result):
        written.append(plot.draw(result, folder / f"bench-{table.file_stem(result)}.png"))
    print(table.table(result))
    print("\n".join(f"wrote {path}" for path in written))
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a row was refused; 2 when nothing can be measured or shown."""
    options = _parser().parse_args(arguments)
    if options.update_readme:
        return _update_documents(options.output or RESULTS)
    rows = list(cases(pattern=options.filter))
    if options.list:
        print("\n".join(case.name for case in rows))
        return 0
    if not rows:
        print(f"--filter {options.filter}: no such row; --list shows all", file=sys.stderr)
        return 2
    if reason := _extension_missing():
        print(
            f"only the reference loop is available, which is not worth timing: {reason}",
            file=sys.stderr,
        )
        return 2
    dtypes = [options.dtype] if options.dtype else documents.DTYPES
    most = torch.get_num_threads()
    counts = [options.threads] if options.threads else sorted({most, 1}, reverse=True)
    passed = [_run_part(options, rows, dtype, threads) for threads in counts for dtype in dtypes]
    whole = not (options.filter or options.dtype or options.threads or options.quick)
    if whole and not options.no_memory:
        memory_report.write(memory.measure(most), options.output or RESULTS)
    if whole and not options.output:
        _update_documents(RESULTS)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
