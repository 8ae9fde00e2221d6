"""One side-by-side run over all rows."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import torch

from . import gate, machine, memory
from .peers import TORCH, Inputs, Job, Peer
from .shapes import MEMORY_SHAPE, Case
from .timing import QUICK, Budget, alternate

STEP_SECONDS = 2.0


def run_case(case: Case, peer: Peer, dtype: torch.dtype, budget: Budget) -> dict[str, Any]:
    """Checks a case, times it against torch and returns its row.

    When the check fails, the row holds the reason as "refused" and no times.
    """
    row: dict[str, Any] = {
        "name": case.shape.name,
        "mode": case.mode,
        "label": case.shape.label,
        "shape": asdict(case.shape),
        "flops": case.shape.flops(case.mode),
    }
    try:
        row["errors"] = gate.check(case, peer, dtype)
    except gate.GateError as error:
        row["refused"] = str(error)
        return row
    inputs = Inputs.make(case.shape, dtype)
    pairs = alternate(Job(TORCH, case, inputs).run, Job(peer, case, inputs).run, budget)
    seconds = {"torch": pairs.first, "lrcn_fast": pairs.second}
    row["median"] = {name: statistics.median(samples) for name, samples in seconds.items()}
    row["ratio"] = asdict(pairs.ratio())
    row["gflops"] = {name: row["flops"] / median / 1e9 for name, median in row["median"].items()}
    row["calls_per_sample"] = pairs.calls_per_sample
    row["seconds"] = {
        name: [float(f"{s:.6g}") for s in samples] for name, samples in seconds.items()
    }
    return row


@contextlib.contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Torch's intra-op thread count inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(
    rows: Iterable[Case],
    peer: Peer,
    *,
    dtype: str = "float32",
    threads: int | None = None,
    seconds: float = 5.0,
    quick: bool = False,
    with_memory: bool = True,
    progress: Callable[[list[Case]], Iterable[Case]] = iter,
) -> dict[str, Any]:
    """Runs every row and returns the result that ``report.write`` stores.

    ``seconds`` is the time for the pairs of one row; single steps need less. ``quick`` makes a few
    pairs of one call each: it shows that everything works, and its figures mean nothing.
    """
    threads = threads or torch.get_num_threads()
    with thread_count(threads):
        result = machine.describe()
        result["settings"] = {"dtype": dtype, "seconds": seconds, "quick": quick}
        if with_memory:
            steps = 8 if quick else MEMORY_SHAPE.steps
            result["memory"] = memory.measure(dtype, threads, steps)
        result["rows"] = []
        load = machine.OtherLoad()
        for case in progress(list(rows)):
            budget = Budget(min(seconds, STEP_SECONDS) if case.mode == "step" else seconds)
            result["rows"].append(
                run_case(case, peer, getattr(torch, dtype), QUICK if quick else budget)
            )
        result["other_load"] = load.share()
    return result
