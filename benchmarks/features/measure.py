"""One row: checked against float64, then timed in alternation."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch

from ..gate import GateError, compare
from ..gpu import timing
from ..nets.traffic import moved
from .rows import OURS, TORCH, Row

BUDGET = timing.Budget(seconds=1.0, min_rounds=7, max_rounds=60, min_sample=0.005)
QUICK = timing.Budget(seconds=0.0, min_rounds=1, max_rounds=1, min_sample=0.0)


def measure(
    row: Row,
    budget: timing.Budget = BUDGET,
    device: str = "cpu",
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Checks and times a row; the record has no time of an implementation that was refused.

    Implementations in ``without`` are left out.

    "ratio" has, for each of the others, the quartiles of our time over theirs: below 1 we are
    faster. "bytes" are counted: the arguments and results of every operation, of ours and of
    torch's.
    """
    problem = row.build(device=device)
    with torch.inference_mode():
        expected = problem.calls[TORCH]()
        sane = math.sqrt(max(torch.finfo(value.dtype).eps for value in expected.values()))
        refused, calls = {}, {}
        for name, call in problem.calls.items():
            if name in without:
                continue
            try:
                compare(row.name, name, call(), expected, problem.exact, sane)
            except (GateError, RuntimeError, TypeError, ValueError) as error:
                refused[name] = str(error).splitlines()[0]
            else:
                calls[name] = call
        counted = {name: moved(problem.calls[name], ()) for name in (OURS, TORCH) if name in calls}
        clock = timing.events if device == "cuda" else timing.wall
        times = timing.compare(calls, OURS, budget, clock)
    return {
        "name": row.name,
        "label": row.label,
        "least": row.least,
        "against": row.against,
        "bytes": counted,
        "least_bytes": problem.least_bytes,
        "refused": refused,
        **times,
    }
