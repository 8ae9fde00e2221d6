"""A process that measures rows one by one, and the loop that starts it anew after a fault.

Before a row the process prints {"begin": name}, so that whoever watches knows which one hangs, and
after it a line with the row's record.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .plan import LEAST_SECONDS, Context, Record
from .process import Command, module

BROKEN = 3
"""Exit status after a fault that leaves the process no use of the GPU."""

LEAVE_SECONDS = 3.0
"""No row is begun with less time than this left."""

STALL_SECONDS = 60.0
"""A row that prints nothing for so long hangs: its process is killed, and the next row begun."""

STARTS = 6
"""How often the measuring process is started in all."""

CLOSING_SECONDS = 10.0
"""Left to the row under way when the worker's own time is up."""


class Named(Protocol):
    """A row: its identifier in the result, and itself as it goes into the JSON."""

    @property
    def name(self) -> str:
        """Identifier in the result."""

    def describe(self) -> dict[str, Any]:
        """The row as it goes into the JSON."""


AnyRow = TypeVar("AnyRow", bound=Named)


def _print(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


def first_line(error: BaseException) -> str:
    """An error's class and what it says first."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def serve(
    program: str,
    rows: Iterable[AnyRow],
    measure: Callable[[AnyRow], dict[str, Any]],
    arguments: list[str] | None,
) -> int:
    """The process: rows until the time is up; returns ``BROKEN`` when the GPU is of no more use."""
    import torch

    from ..gate import GateError

    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="when to begin no more")
    parser.add_argument("--skip", type=Path, help="file with the names of rows to leave out")
    parser.add_argument("--filter", default="", help="only rows whose name has this in it")
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    skipped = set(options.skip.read_text(encoding="utf-8").split()) if options.skip else set()
    if not torch.cuda.is_available():
        print("the benchmarks of a GPU need one", file=sys.stderr)
        return 2
    for row in rows:
        if row.name in skipped or options.filter not in row.name:
            continue
        if time.monotonic() > end - LEAVE_SECONDS:
            break
        _print({"begin": row.name})
        try:
            record = measure(row)
        except (RuntimeError, GateError) as error:
            record = {**row.describe(), "failed": first_line(error)}
        gc.collect()
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError as error:
            _print({**record, "failed": first_line(error)})
            return BROKEN
        _print(record)
    return 0


def command(context: Context, program: str, seconds: float) -> Command:
    """The process, for rows not yet listed in the file of those done."""
    skip = context.scratch / "rows-done.txt"
    seconds = max(0.0, seconds - CLOSING_SECONDS)
    return module(context.python, program, "--seconds", f"{seconds:.0f}", "--skip", str(skip))


class _Progress:
    """The rows measured so far, and the one under way."""

    def __init__(self, context: Context, names: list[str]) -> None:
        self.context = context
        self.names = names
        self.rows: dict[str, Record] = {
            row["name"]: row for row in context.earlier.get("rows", []) if "failed" not in row
        }
        self.current: str | None = None

    def take(self, record: dict[str, Any]) -> None:
        if "begin" in record:
            self.current = record["begin"]
        elif "name" in record:
            self.current = None
            self.rows[record["name"]] = record
            self.context.publish({"status": "running", **self.record()})

    def give_up(self, reason: str) -> None:
        """Stores the row under way as failed."""
        if self.current is not None:
            name, self.current = self.current, None
            self.take({"name": name, "failed": reason})

    def record(self) -> Record:
        return {
            "rows": list(self.rows.values()),
            "not_run": [name for name in self.names if name not in self.rows],
        }


def collect(
    context: Context, seconds: float, program: str, names: list[str], log: str
) -> tuple[Record, str]:
    """Starts the process until all rows are measured or the time is up.

    Returns:
        The rows measured or failed, the names of those "not_run", and why the last process failed.
    """
    end = time.monotonic() + seconds
    progress = _Progress(context, names)
    context.scratch.mkdir(parents=True, exist_ok=True)
    reason = ""
    for _ in range(STARTS):
        left = end - time.monotonic()
        if left < LEAST_SECONDS:
            break
        (context.scratch / "rows-done.txt").write_text("\n".join(progress.rows), encoding="utf-8")
        before = len(progress.rows)
        done = context.execute(
            command(context, program, left),
            left,
            context.logs / log,
            progress.take,
            stall=STALL_SECONDS,
        )
        if done.status == "timed out":
            # The row under way was good so far: it is not run rather than failed.
            progress.current = None
            break
        progress.give_up(done.reason())
        if done.ok:
            break
        reason = done.reason()
        if len(progress.rows) == before:
            break
    return progress.record(), reason


def collect_checked(
    context: Context, seconds: float, program: str, names: Sequence[str], log: str
) -> Record:
    """Measures as many rows as fit and returns the part's record.

    The part has failed where a row did, where a check refused ours, and without the first row.
    """
    from ..features.rows import OURS

    record, reason = collect(context, seconds, program, list(names), log)
    failed = [row["name"] for row in record["rows"] if "failed" in row]
    refused = [row["name"] for row in record["rows"] if OURS in row.get("refused", {})]
    told = [f"{', '.join(failed)} failed" if failed else ""]
    told.append(f"{OURS} was refused in {', '.join(refused)}" if refused else "")
    told.append(f"{names[0]} was not measured" if names[0] in record["not_run"] else "")
    if not record["rows"]:
        told = [reason or "no row was measured"]
    if any(told):
        return {"status": "failed", "reason": "; ".join(filter(None, told)), **record}
    return {"status": "passed", **record}
