"""``python -m benchmarks``: lrcn_fast and torch.nn.LSTM side by side; table, JSON and plot."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from . import command, plot, report
from .command import SCRATCH
from .machine import ROOT
from .peers import lrcn_fast_peer
from .run import run
from .shapes import DTYPES, Case, cases

README = ROOT / "README.md"


def _parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "benchmarks",
        __doc__,
        "benchmarks/results and docs/images; build/benchmarks with --quick or --filter, which "
        "measure too little to be published",
    )
    command.add_memory(parser)
    parser.add_argument("--dtype", default="float32", choices=DTYPES, help="(default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="time per row (default: %(default)s)"
    )
    parser.add_argument(
        "--update-readme",
        action="store_true",
        help="run nothing: draw the newest result again and put plot and table into README.md",
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


def _update_readme(dtype: str, folder: Path) -> int:
    path = report.newest(folder, dtype)
    result = json.loads(path.read_text(encoding="utf-8"))
    image = plot.draw(result, report.IMAGES / f"bench-{path.stem}.png")
    changed = report.update_readme(result, image, README)
    print(f"README.md {'now shows' if changed else 'already shows'} {path.name}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a row was refused; 2 when nothing can be measured."""
    options = _parser().parse_args(arguments)
    if options.update_readme:
        return _update_readme(options.dtype, options.output or report.RESULTS)
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
    result = run(
        rows,
        lrcn_fast_peer(),
        dtype=options.dtype,
        threads=options.threads,
        seconds=options.seconds,
        quick=options.quick,
        with_memory=not options.no_memory,
        progress=_progress,
    )
    partial = options.quick or bool(options.filter)
    folder = options.output or (SCRATCH if partial else report.RESULTS)
    written = list(report.write(result, folder))
    images = options.output or (SCRATCH if partial else report.IMAGES)
    refused = [row for row in result["rows"] if "refused" in row]
    if len(refused) < len(result["rows"]):
        written.append(plot.draw(result, images / f"bench-{report.file_stem(result)}.png"))
    print(report.table(result))
    print("\n".join(f"wrote {path}" for path in written))
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
