"""Part "features": operators on maps and frames; run by ``python -m benchmarks.gpu.features``."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

from .plan import Context, Part, Record, command_line
from .targets import Target
from .worker import collect_checked, command, serve

PROGRAM = "benchmarks.gpu.features"

_MAPS = [
    f"caffenet-{number}-channels_last{mode}" for number in (1, 2) for mode in ("", "-training")
]
NAMES = (
    *_MAPS,
    "frames-bfloat16",
    *(name.replace("caffenet", "hybrid") for name in _MAPS),
    *(name.replace("channels_last", "contiguous") for name in _MAPS),
)
"""The rows of ``benchmarks.features``, the most important first."""

COMPILED_ROWS = _MAPS[:2]
"""Rows with torch.compile, which takes some seconds of each."""

LEAST = 5.0
"""Times torch at CaffeNet's maps, forward."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of ``benchmarks.features`` in bfloat16 on the GPU."""

    row: Any

    @property
    def name(self) -> str:
        """Identifier in the result."""
        return str(self.row.name)

    def describe(self) -> dict[str, Any]:
        """The row as it goes into the JSON."""
        return {"name": self.name, "label": self.row.label}


def rows() -> Iterator[Row]:
    """All rows."""
    from ..features import frames, maps

    named = {row.name: row for row in (*frames.ROWS, *maps.ROWS)}
    return (Row(named[name]) for name in NAMES)


def measure(
    row: Row, device: str = "cuda", dtype: str = "bfloat16", **options: Any
) -> dict[str, Any]:
    """Checks and times a row."""
    import torch

    from ..features.maps import COMPILED
    from ..features.measure import measure as measure_row
    from . import timing

    build = functools.partial(row.row.build, dtype=getattr(torch, dtype))
    without = () if row.name in COMPILED_ROWS else (COMPILED,)
    options = {"budget": timing.PAPER, **options}
    return measure_row(
        dataclasses.replace(row.row, build=build), device=device, without=without, **options
    )


def targets(part: Record) -> Iterator[Target]:
    """What relu_max_pool_lrn is to reach."""
    from ..features.rows import TORCH

    found = {row["name"]: row for row in part.get("rows", []) if row.get("ratio")}
    for name in (name for name in NAMES if name in _MAPS and not name.endswith("-training")):
        what = f"{name} in bfloat16: {LEAST:g} times torch"
        ratio = found.get(name, {}).get("ratio", {}).get(TORCH)
        if ratio is None:
            yield Target(what, "not measured", "no figure")
            continue
        times = 1 / float(ratio["median"])
        yield Target(what, "met" if times >= LEAST else "missed", f"{times:.2f} times")


def run(context: Context, seconds: float) -> Record:
    """Measures as many rows as fit; the first has to."""
    return collect_checked(context, seconds, PROGRAM, NAMES, "features.log")


def _plan(context: Context) -> list[str]:
    lines = command_line([command(context, PROGRAM, PART.seconds)])
    return lines + [f"{row.name}: {row.row.label}" for row in rows()]


def main(arguments: list[str] | None = None) -> int:
    """Measures rows until the time is up; see ``benchmarks.gpu.worker``."""
    return serve(PROGRAM, rows(), measure, arguments)


PART = Part("features", 20.0, "operators on maps and frames beside torch's", _plan, run)

if __name__ == "__main__":
    raise SystemExit(main())
