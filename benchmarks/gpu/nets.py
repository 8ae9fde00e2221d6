"""Part "nets": whole networks in bfloat16; ``python -m benchmarks.gpu.nets`` is its worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .plan import Context, Part, Record, command_line
from .targets import Target
from .worker import collect_checked, command, serve

PROGRAM = "benchmarks.gpu.nets"

NAMES = ("caffenet-fc6-256", "hybrid-fc6-256", "hybrid-ragged", "activity-step", "caffenet-fc6")
"""The rows of ``benchmarks.nets``, the most important first."""

COMPILED_ROWS = NAMES[:2]
"""Rows with torch.compile, which takes half a minute of each."""

RATE = 828e12
"""Multiplications and additions a second in bfloat16 that a model takes an H100 to reach."""

TIMES_EAGER, TIMES_COMPILED, TIMES_FLOOR = 2.0, 1.3, 1.6
"""CaffeNet's features of 256 frames: torch over ours, torch.compile over ours, ours over the
floor."""


@dataclass(frozen=True)
class Row:
    """A row of ``benchmarks.nets`` in bfloat16 on the GPU."""

    case: Any

    @property
    def name(self) -> str:
        """Identifier in the result."""
        return str(self.case.name)

    def describe(self) -> dict[str, Any]:
        """The row as it goes into the JSON."""
        return {"name": self.name, "case": asdict(self.case), "label": self.case.label}


def rows() -> Iterator[Row]:
    """All rows."""
    from ..nets.cases import CASES

    named = {case.name: case for case in CASES}
    return (Row(named[name]) for name in NAMES)


def measure(
    row: Row, device: str = "cuda", dtype: str = "bfloat16", **options: Any
) -> dict[str, Any]:
    """Checks and times a row."""
    import torch

    from ..nets.measure import measure as measure_case

    found = measure_case(
        row.case,
        dtype=getattr(torch, dtype),
        device=device,
        compiled=row.name in COMPILED_ROWS,
        **options,
    )
    return {**row.describe(), **found}


def floor_seconds(row: dict[str, Any]) -> float:
    """The least time of a frame: that of its products alone."""
    return 2 * float(row["multiplications"]) / RATE


def targets(part: Record, capability: list[int]) -> Iterator[Target]:
    """What CaffeNet's features of 256 frames are to reach; the floor is an H100's."""
    from ..nets.peers import COMPILED, EAGER, OURS
    from ..nets.targets import fastest, times

    found = {row["name"]: row for row in part.get("rows", []) if "median" in row}
    row = found.get(NAMES[0], {})
    measured = OURS in row.get("median", {})
    for least, names, kind in (
        (TIMES_EAGER, EAGER, "torch"),
        (TIMES_COMPILED, tuple(COMPILED), "torch.compile"),
    ):
        what = f"{NAMES[0]} in bfloat16: {least:g} times {kind}"
        peer = fastest(row, names) if measured else None
        if peer is None:
            yield Target(what, "not measured", "no figure")
            continue
        ratio = times(row, peer)
        yield Target(what, "met" if ratio >= least else "missed", f"{ratio:.2f} times {peer}")
    what = f"{NAMES[0]} in bfloat16: within {TIMES_FLOOR:g} times the products' own time"
    if not measured or capability != [9, 0]:
        yield Target(what, "not measured", "no figure of such a GPU")
        return
    over = row["median"][OURS] / row["frames"] / floor_seconds(row)
    state = "met" if over <= TIMES_FLOOR else "missed"
    yield Target(what, state, f"{over:.2f} times, {row['frames_per_second'][OURS]:.0f} frames/s")


def run(context: Context, seconds: float) -> Record:
    """Measures as many rows as fit; the first has to."""
    return collect_checked(context, seconds, PROGRAM, NAMES, "nets.log")


def _plan(context: Context) -> list[str]:
    lines = command_line([command(context, PROGRAM, PART.seconds)])
    return lines + [f"{row.name}: {row.case.label}" for row in rows()]


def main(arguments: list[str] | None = None) -> int:
    """Measures rows until the time is up; see ``benchmarks.gpu.worker``."""
    return serve(PROGRAM, rows(), measure, arguments)


PART = Part("nets", 45.0, "whole networks beside torch and torch.compile", _plan, run)

if __name__ == "__main__":
    raise SystemExit(main())
