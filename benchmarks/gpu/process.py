"""Runs one command with a time limit, and hands on the JSON lines that it prints."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..machine import ROOT

KEPT_LINES = 20
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Command:
    """A program with its arguments, run in the repository's root, and variables that it adds."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return " ".join([*variables, shlex.join(self.arguments)])


@dataclass(frozen=True)
class Finished:
    """How a command ended.

    Attributes:
        status: "ended", "timed out" at its limit, or "stalled" when it printed nothing.
        code: the exit status; None where the process had to be killed.
        seconds: how long it ran.
        tail: the last lines that it printed.
    """

    status: str
    code: int | None
    seconds: float
    tail: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == "ended" and self.code == 0

    def reason(self) -> str:
        """Why it is not ``ok``, in a few words and its last line."""
        cause = self.status if self.status != "ended" else f"exit status {self.code}"
        return f"{cause} after {self.seconds:.0f} s" + (f": {self.tail[-1]}" if self.tail else "")


def record_of(line: str) -> dict[str, Any] | None:
    """The JSON object that a line holds, or None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends the command and its children; one that the driver won't let go is left behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS if number == signal.SIGKILL else 2.0)
            return


def run(
    command: Command,
    seconds: float,
    log: Path,
    on_record: Callable[[dict[str, Any]], None] = lambda record: None,
    stall: float | None = None,
) -> Finished:
    """Runs ``command`` for at most ``seconds`` and appends what it prints to ``log``.

    Args:
        command: what to run.
        seconds: when it is killed, with its children.
        log: gets both of its streams.
        on_record: called with every JSON object that is a line of its own.
        stall: when it is killed for having printed nothing.
    """
    start = last = time.monotonic()
    tail: deque[str] = deque(maxlen=KEPT_LINES)
    lines: queue.Queue[str | None] = queue.Queue()
    log.parent.mkdir(parents=True, exist_ok=True)
    # By lines, so that the log of an interrupted run tells how far it came.
    with log.open("a", buffering=1, encoding="utf-8") as file:
        file.write(f"$ {command}\n")
        try:
            process = subprocess.Popen(
                command.arguments,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **command.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            file.write(f"{error}\n")
            return Finished("ended", 127, 0.0, (str(error),))

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        status = "ended"
        try:
            while True:
                now = time.monotonic()
                limits = [start + seconds] + ([last + stall] if stall else [])
                if now >= min(limits):
                    status = "timed out" if now >= limits[0] else "stalled"
                    break
                try:
                    line = lines.get(timeout=min(limits) - now)
                except queue.Empty:
                    continue
                if line is None:
                    process.wait(max(1.0, start + seconds - time.monotonic()))
                    break
                last = time.monotonic()
                file.write(line)
                if line.strip():
                    tail.append(line.rstrip())
                if (record := record_of(line)) is not None:
                    on_record(record)
        except subprocess.TimeoutExpired:
            status = "timed out"
        finally:
            _kill(process)
        ended = time.monotonic() - start
        file.write(f"[{status}, exit status {process.returncode}, {ended:.1f} s]\n")
    code = process.returncode if status == "ended" else None
    return Finished(status, code, ended, tuple(tail))


def module(python: str, name: str, *arguments: str) -> Command:
    """``python -m name arguments``."""
    return Command((python, "-m", name, *arguments))
