"""The parts of the check, their time budgets, and what runs when time is short."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..machine import ROOT
from .process import Command, Finished, run

TOTAL_SECONDS = 530.0
"""For all parts together: nine minutes less the look for a device and slow ends of processes."""

LEAST_SECONDS = 5.0
"""A part that would get less is not begun."""

SCRATCH = ROOT / "build" / "gpu-check"

Execute = Callable[..., Finished]
Record = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a part gets to know.

    Attributes:
        arch: the device's architecture as nvcc spells it.
        logs: folder of the logs, one for each part.
        scratch: folder for whatever else is made.
        python: the interpreter that runs everything.
        earlier: the part's record of an earlier run that is to be carried on, or empty.
        publish: stores the part's record so far.
        execute: runs a command; the tests put something else here.
    """

    arch: str = "sm_90a"
    logs: Path = SCRATCH
    scratch: Path = SCRATCH
    python: str = sys.executable
    earlier: Record = field(default_factory=dict)
    publish: Callable[[Record], None] = lambda record: None
    execute: Execute = run


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        name: what ``--parts`` calls it.
        seconds: its budget. The last part of a run also gets what the ones before it left over.
        what: one line about it.
        plan: its commands and cases, one line each, for the dry run.
        run: does it within a number of seconds and returns its record, in which "status" is
            "passed", "failed" or "not run".
    """

    name: str
    seconds: float
    what: str
    plan: Callable[[Context], list[str]]
    run: Callable[[Context, float], Record]


def select(parts: Sequence[Part], names: str) -> list[Part]:
    """The parts whose names are listed, in the order in which they have to run; all for "".

    Raises:
        ValueError: there is no part of that name.
    """
    asked = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := asked - {part.name for part in parts}:
        known = ", ".join(part.name for part in parts)
        raise ValueError(f"--parts: no part {', '.join(sorted(unknown))}; there are {known}")
    return [part for part in parts if not asked or part.name in asked]


def limit(parts: Sequence[Part], index: int, left: float) -> float:
    """Seconds that a part gets when ``left`` remain of the total; less than the least: none."""
    seconds = left if index == len(parts) - 1 else min(parts[index].seconds, left)
    return seconds if seconds >= LEAST_SECONDS else 0.0


def dry_run(parts: Sequence[Part], context: Context, total: float) -> str:
    """The plan as text."""
    left = total
    lines = [f"at most {total:.0f} s in all, for {context.arch}"]
    for index, part in enumerate(parts):
        seconds = limit(parts, index, left)
        left -= seconds
        budget = f"at most {seconds:.0f} s" if seconds else "not run: no time left"
        if index and index == len(parts) - 1:
            budget = f"at least {seconds:.0f} s" if seconds else budget
        lines.append(f"{part.name}: {part.what} ({budget})")
        lines += [f"  {line}" for line in part.plan(context)]
    return "\n".join(lines)


def command_line(commands: Iterable[Command]) -> list[str]:
    """Commands as lines of a plan."""
    return [f"$ {command}" for command in commands]
