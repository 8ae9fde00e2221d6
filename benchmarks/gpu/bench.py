"""Part "bench": times of all rows, measured by a process that is started anew after a fault."""

from __future__ import annotations

import time
from typing import Any

from .floor import ASSUMPTIONS
from .plan import LEAST_SECONDS, Context, Part, Record, command_line
from .process import Command, module

STALL_SECONDS = 60.0
"""A row that prints nothing for so long hangs: its process is killed, and the next row begun."""

STARTS = 6
"""How often the measuring process is started in all."""

CLOSING_SECONDS = 10.0
"""Left to the row under way when the worker's own time is up."""


def command(context: Context, seconds: float) -> Command:
    """The measuring process, for rows not yet listed in the file of those done."""
    skip = context.scratch / "rows-done.txt"
    return module(
        context.python,
        "benchmarks.gpu.measure",
        *["--seconds", f"{max(0.0, seconds - CLOSING_SECONDS):.0f}", "--skip", str(skip)],
    )


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
        elif "modes" in record or "failed" in record:
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
            "floor_assumptions": list(ASSUMPTIONS),
        }


def _names(group: str = "") -> list[str]:
    """The names of all rows, or of those of a group."""
    from .rows import rows

    return [row.name for row in rows() if group in ("", row.group)]


def run(context: Context, seconds: float) -> Record:
    """Measures as many rows as fit; what did not is listed under "not_run".

    The paper's rows have to fit.
    """
    end = time.monotonic() + seconds
    progress = _Progress(context, _names())
    context.scratch.mkdir(parents=True, exist_ok=True)
    reason = ""
    for _ in range(STARTS):
        left = end - time.monotonic()
        if left < LEAST_SECONDS:
            break
        (context.scratch / "rows-done.txt").write_text("\n".join(progress.rows), encoding="utf-8")
        before = len(progress.rows)
        done = context.execute(
            command(context, left),
            left,
            context.logs / "bench.log",
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
    record = progress.record()
    paper = [name for name in record["not_run"] if name in _names("paper")]
    failed = [row["name"] for row in progress.rows.values() if "failed" in row]
    refused = [row["name"] for row in progress.rows.values() if native_refused(row)]
    if not progress.rows:
        return {"status": "failed", "reason": reason or "no row was measured", **record}
    if failed or refused or paper:
        told = [f"{len(failed)} rows failed" if failed else ""]
        told.append(f"the native backend was refused in {len(refused)} rows" if refused else "")
        told.append(f"{len(paper)} of the paper's rows were not measured" if paper else "")
        return {"status": "failed", "reason": ", ".join(filter(None, told)), **record}
    return {"status": "passed", **record}


def native_refused(row: Record) -> bool:
    """Whether the check refused our kernels in one of a row's modes."""
    return any("native" in mode["refused"] for mode in row.get("modes", {}).values())


def _plan(context: Context) -> list[str]:
    from .rows import rows

    lines = command_line([command(context, PART.seconds)])
    found = rows()
    lines += [f"{row.name}: {row.shape.label}" for row in found if row.group == "paper"]
    grid = [row.name for row in found if row.group == "grid"]
    lines.append(f"then {len(grid)} rows of the grid, from {grid[0]} to {grid[-1]}, as time allows")
    return lines


PART = Part("bench", 145.0, "speed beside cuDNN, torch.compile and the floor", _plan, run)
