"""Part "captions": searches of the captioner 2f; run by ``python -m benchmarks.gpu.captions``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .plan import Context, Part, Record, command_line
from .targets import Target
from .worker import collect_checked, command, serve

PROGRAM = "benchmarks.gpu.captions"

NAMES = tuple(f"images{images}-beam{beam}-words20" for beam in (5, 1) for images in (1, 8, 64))
"""Rows of ``benchmarks.captions``, the most important first."""

FLOOR_MICROSECONDS = 3.5
"""Of a token of one image, with all of a step on chip; a model, not a measurement."""

LEAST = 3.0
"""Times the batched loop in torch."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A search of ``benchmarks.captions`` in bfloat16 on the GPU."""

    search: Any

    @property
    def name(self) -> str:
        """Identifier in the result."""
        return str(self.search.name)

    def describe(self) -> dict[str, Any]:
        """The row as it goes into the JSON."""
        return {"name": self.name, "images": self.search.images, "words": self.search.words}


def rows() -> Iterator[Row]:
    """All rows."""
    from ..captions.rows import ROWS

    named = {row.name: row for row in ROWS}
    return (Row(named[name]) for name in NAMES)


def measure(
    row: Row, device: str = "cuda", dtype: str = "bfloat16", **options: Any
) -> dict[str, Any]:
    """Checks and times a row: our sentences have to be as probable in float64 as the loop's."""
    import math

    import torch

    from ..captions.rows import BATCHED, OURS
    from . import timing

    chosen = getattr(torch, dtype)
    calls = row.search.calls(chosen, device)
    calls = {name: calls[name] for name in (OURS, BATCHED)}
    refused = {}
    with torch.inference_mode():
        means = {name: row.search.likelihood(call(), device) for name, call in calls.items()}
        slack = math.sqrt(torch.finfo(chosen).eps) * abs(means[BATCHED])
        if not means[OURS] >= means[BATCHED] - slack:
            refused[OURS] = f"log-probability {means[OURS]:.4g}, the loop's {means[BATCHED]:.4g}"
            del calls[OURS]
    clock = timing.events if device == "cuda" else timing.wall
    times: dict[str, Any] = {"median": {}, "ratio": {}, "rounds": 0}
    if not refused:
        times = timing.compare(calls, OURS, **{"budget": timing.PAPER, "clock": clock, **options})
    return {**row.describe(), "refused": refused, "log_probs": means, **times}


def per_token(row: dict[str, Any], name: str) -> float:
    """Microseconds of a step, which is a token of each image."""
    return float(row["median"][name]) * 1e6 / int(row["words"])


def targets(part: Record) -> Iterator[Target]:
    """What a search is to reach."""
    from ..captions.rows import BATCHED

    found = {row["name"]: row for row in part.get("rows", []) if row.get("ratio")}
    for name in NAMES[:3]:
        what = f"{name} in bfloat16: {LEAST:g} times the {BATCHED}"
        if name not in found:
            yield Target(what, "not measured", "no figure")
            continue
        times = 1 / float(found[name]["ratio"][BATCHED]["median"])
        yield Target(what, "met" if times >= LEAST else "missed", f"{times:.2f} times")


def lines(part: Record) -> Iterator[str]:
    """A table of the rows measured, and what failed."""
    from ..captions.rows import BATCHED, OURS
    from ..report import grid

    found = part.get("rows", [])
    cells = [
        (
            row["name"],
            *(f"{per_token(row, name):.1f}" for name in (OURS, BATCHED)),
            f"**{1 / row['ratio'][BATCHED]['median']:.2f}**",
            f"{per_token(row, OURS) / FLOOR_MICROSECONDS:.1f}",
        )
        for row in found
        if row.get("ratio")
    ]
    if cells:
        header = ("row", OURS, BATCHED, f"{BATCHED} / ours", "ours / floor")
        yield from ("", "### captions, in bfloat16: microseconds per token", "")
        yield from grid(header, cells)
    for row in found:
        if "failed" in row:
            yield from ("", f"{row['name']} failed: {row['failed']}")


def run(context: Context, seconds: float) -> Record:
    """Measures as many rows as fit; the first has to."""
    return collect_checked(context, seconds, PROGRAM, NAMES, "captions.log")


def _plan(context: Context) -> list[str]:
    shown = command_line([command(context, PROGRAM, PART.seconds)])
    return [*shown, *(f"{name}: 2f, V=8801 H=1000" for name in NAMES)]


def main(arguments: list[str] | None = None) -> int:
    """Measures rows until the time is up; see ``benchmarks.gpu.worker``."""
    return serve(PROGRAM, rows(), measure, arguments)


PART = Part("captions", 20.0, "beam search beside a loop in torch and the floor", _plan, run)

if __name__ == "__main__":
    raise SystemExit(main())
