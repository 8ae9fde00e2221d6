"""A GPU's result and commands that only seem to run, for the tests of the GPU check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.floor import ASSUMPTIONS
from benchmarks.gpu.plan import Context
from benchmarks.gpu.process import Command, Finished
from benchmarks.shapes import SHAPES

FOUND: dict[str, Any] = {
    "device": {
        "name": "NVIDIA H100 80GB HBM3",
        "capability": [9, 0],
        "sms": 132,
        "memory_bytes": 80 * 2**30,
        "l2_bytes": 50 * 2**20,
        "driver": "580.1",
        "clocks": {"sm_mhz": "1755"},
    },
    "versions": {"python": "3.12.3", "torch": "2.11.0", "cuda_runtime": "13.0", "triton": None},
}
HEADER = {**FOUND, "commit": "c" * 40, "dirty": False}
STEM = "gpu-h100-80gb-hbm3"


class Executor:
    """Stands in for ``process.run``: answers in turn, with what each command is to print."""

    def __init__(self, *answers: Finished | Callable[..., Finished]) -> None:
        self.answers = list(answers)
        self.commands: list[Command] = []
        self.limits: list[float] = []

    def __call__(
        self,
        command: Command,
        seconds: float,
        log: Path,
        on_record: Callable[[dict[str, Any]], None] = lambda record: None,
        stall: float | None = None,
    ) -> Finished:
        self.commands.append(command)
        self.limits.append(seconds)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(command, log, on_record) if callable(answer) else answer


GOOD = Finished("ended", 0, 1.0, ("all is well",))
BAD = Finished("ended", 1, 2.0, ("first", "nothing is well"))
LATE = Finished("timed out", None, 9.0, ("still at it",))
HUNG = Finished("stalled", None, 60.0, ("{}",))


def printing(
    text: str = "", records: Sequence[dict[str, Any]] = (), then: Finished = GOOD
) -> Callable[..., Finished]:
    """An answer that writes ``text`` to the log, hands on records, and ends."""

    def answer(command: Command, log: Path, on_record: Callable[..., None]) -> Finished:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(text)
        for record in records:
            on_record(record)
        return then

    return answer


def context(folder: Path, execute: Executor, **changes: Any) -> Context:
    """A context that touches nothing outside of ``folder``."""
    return Context("sm_90a", folder, folder, "python", execute=execute, **changes)


def row(name: str = "captions", group: str = "paper", precision: str = "bfloat16") -> Any:
    """A row of the bench part in which torch takes 40 us a step and we take 10."""
    from benchmarks.gpu.rows import Row

    shape = next(shape for shape in SHAPES if shape.name == name)
    steps = shape.steps * shape.num_layers
    times = {
        "median": {"torch": 40e-6 * steps, "native": 10e-6 * steps},
        "ratio": {"native": {"median": 4.0, "low": 3.9, "high": 4.1}},
        "rounds": 9,
    }
    mode = {
        "errors": {"torch": 1e-3, "native": 1e-3},
        "refused": {"triton": f"{name}: triton raised ValueError: there is none"},
        "no_graph": {"compiled": "RuntimeError: not capturable"},
        "eager": times,
        "graph": times,
    }
    described = Row(shape, precision, group).describe()
    backward = {"torch": 25e-6 * steps, "native": 5e-6 * steps}
    return {
        **described,
        "kernels": {"inference": "cluster", "training": "cluster, grid"},
        "modes": {"inference": mode, "training": mode},
        "backward": {"graph": backward, "eager": backward},
        "seconds": 1.0,
    }


def result() -> dict[str, Any]:
    """A complete result with every kind of trouble in it."""
    stamp = {"commit": "c" * 40, "dirty": False, "seconds": 3.0}
    return {
        "format": 1,
        "date": "2026-01-02T03:04:05+00:00",
        **HEADER,
        "parts": {
            "build": {"status": "passed", **stamp},
            "tests": {
                "status": "failed",
                "passed": 7,
                "failed": 1,
                "skipped": 2,
                "failures": [{"name": "tests.gpu.test_x::test_y", "lines": ["E  assert 1 == 2"]}],
                **stamp,
            },
            "sanitizer": {
                "status": "failed",
                "reason": "racecheck: 3 errors in 4 calls",
                "tools": {"memcheck": {"errors": 0}, "racecheck": {"errors": 3}},
                **stamp,
            },
            "probes": {
                "status": "passed",
                "programs": {"graph_gap": {"status": "passed"}},
                "records": [
                    {"probe": "graph_gap", "way": "graph", "us_per_kernel": 1.2345},
                    {"probe": "copy", "gb_s": 2500.0},
                ],
                **stamp,
                "commit": "d" * 40,
            },
            "bench": {
                "status": "running",
                "rows": [row(), {"name": "activity-256/bfloat16", "failed": "stalled after 60 s"}],
                "not_run": ["grid-h512-b8-t1024/float16"],
                "floor_assumptions": list(ASSUMPTIONS),
                **stamp,
            },
        },
    }
