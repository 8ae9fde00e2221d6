"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from .machine import ROOT

SCRATCH = ROOT / "build" / "benchmarks"
DOCS = ROOT / "docs" / "benchmarks.md"


def parser(
    program: str,
    description: str | None,
    output: str,
    threads: str = "intra-op threads (default: torch's own choice)",
) -> argparse.ArgumentParser:
    """A parser of the options of all benchmarks; ``output`` says where results go by default."""
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    made.add_argument("--threads", type=int, help=threads)
    made.add_argument(
        "--filter",
        default="",
        metavar="PART[,PART]",
        help="only rows with one of these in their name",
    )
    made.add_argument(
        "--quick", action="store_true", help="a few repetitions; the figures mean nothing"
    )
    made.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    made.add_argument("--output", type=Path, help=f"folder for what was found (default: {output})")
    return made


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-memory``."""
    parser.add_argument("--no-memory", action="store_true", help="leave out the peaks of memory")


def add_update(parser: argparse.ArgumentParser) -> None:
    """Add ``--update-docs``."""
    parser.add_argument(
        "--update-docs",
        action="store_true",
        help=f"run nothing: put the table of this machine's result into docs/{DOCS.name}",
    )
