"""One row: checked, then timed in alternation; and its peak memory, in fresh processes."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import torch
from torch import Tensor

from ..gate import GateError, compare
from ..gpu import timing
from ..memory import peak_bytes, told_by
from .rows import OURS, PREFIX, ROWS, TORCH, Loss, Row

BUDGET = timing.Budget(seconds=0.5, min_rounds=3, max_rounds=15, min_sample=0.0)
QUICK = timing.Budget(seconds=0.0, min_rounds=1, max_rounds=1, min_sample=0.0)


def _check(
    row: Row, name: str, actual: Any, expected: Any, exact: dict[str, Tensor] | None
) -> None:
    if exact is not None:
        sane = math.sqrt(torch.finfo(torch.float32).eps)
        compare(row.name, name, actual, expected, exact, sane)
    elif not torch.equal(actual, expected[: len(actual)]):
        raise GateError(f"{row.name}: {name} found other words than {OURS}")


def measure(row: Row, budget: timing.Budget = BUDGET) -> dict[str, Any]:
    """Checks and times a row; the record has no time of an implementation that was refused.

    "ratio" has, for each of the others, the quartiles of our time over theirs: below 1 we are
    faster. Times of peers that take one image are those of one, times the images. The prefix loop
    is timed once, outside the alternation.
    """
    loss = isinstance(row, Loss)
    exact = row.calls(torch.float64)[TORCH]() if isinstance(row, Loss) else None
    calls, refused = row.calls(), {}
    with torch.set_grad_enabled(loss):
        expected = calls[TORCH if loss else OURS]()
        single = {}
        for name in list(calls):
            found: list[Any] = []
            seconds = timing.wall(lambda call=calls[name], out=found: out.append(call()), 1)
            try:
                _check(row, name, found[0], expected, exact)
            except GateError as error:
                refused[name] = str(error).splitlines()[0]
                del calls[name]
            else:
                if name == PREFIX:
                    single[name] = seconds
                    del calls[name]
        times: dict[str, Any] = {"median": {}, "ratio": {}, "rounds": 0}
        if calls:
            times = timing.compare(calls, OURS, budget, timing.wall)
    times["median"] |= single
    times["ratio"] |= {
        name: dict.fromkeys(("median", "low", "high"), times["median"][OURS] / seconds)
        for name, seconds in single.items()
        if OURS in times["median"]
    }
    for name in times["median"]:
        times["median"][name] *= row.scale(name)
    for name, quartiles in times["ratio"].items():
        times["ratio"][name] = {key: value / row.scale(name) for key, value in quartiles.items()}
    return {"name": row.name, "refused": refused, **times}


def peak(row: Row, name: str) -> int:
    """Bytes by which two calls raise this process' peak above weights and inputs."""
    call = row.calls()[name]
    baseline = peak_bytes()
    with torch.set_grad_enabled(isinstance(row, Loss)):
        for _ in range(2):
            call()
    return peak_bytes() - baseline


def peak_in_fresh_process(row: Row, name: str, threads: int) -> int:
    """``peak``, measured in a process of its own."""
    return told_by("benchmarks.captions.measure", name, row.name, name, threads)


def main(arguments: list[str] | None = None) -> int:
    """Prints the peak of one implementation in one row as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.captions.measure")
    named = {row.name: row for row in ROWS}
    parser.add_argument("row", choices=named)
    parser.add_argument("name")
    parser.add_argument("threads", type=int)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(json.dumps({"bytes": peak(named[options.row], options.name)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
