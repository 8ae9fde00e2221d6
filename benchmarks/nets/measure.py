"""One row: checked against float64, counted, then timed in alternation."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..gate import GateError, compare
from ..gpu import timing
from .cases import Case, Work
from .peers import COMPILED, OURS, PRODUCTS, TORCH, Bench, Job
from .traffic import moved

BUDGET = timing.Budget(seconds=4.0, min_rounds=5, max_rounds=25, min_sample=0.0)
QUICK = timing.Budget(seconds=0.0, min_rounds=1, max_rounds=1, min_sample=0.0)


def check(bench: Bench, names: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Compares implementations with float64 on the first steps; see ``benchmarks.gate``.

    A training step is compared in float64 throughout: in float32 one unit so near zero that it
    rounds to either side changes the gradients by far more than all roundings.

    Returns:
        By name the largest error, over the largest magnitude; and why the others were refused.
    """
    case = bench.case.checked
    dtype = torch.float64 if case.mode == "training" else bench.dtype
    exact = bench.job(TORCH, case, torch.float64).results()
    expected = bench.job(TORCH, case, dtype).results()
    sane = math.sqrt(torch.finfo(dtype).eps)
    errors, refused = {}, {}
    for name in names:
        try:
            actual = bench.job(name, case, dtype).results()
            found = compare(case.name, name, actual, expected, exact, sane)
        except (GateError, RuntimeError, TypeError, ValueError) as error:
            refused[name] = str(error).splitlines()[0]
        else:
            errors[name] = max(error[name] for error in found.values())
    return errors, refused


def measure(
    case: Case,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    compiled: bool = False,
    budget: timing.Budget = BUDGET,
) -> dict[str, Any]:
    """Checks and times a row; the record has no time of an implementation that was refused.

    "ratio" has, for each of the others, the quartiles of our time over theirs: below 1 we are
    faster. "bytes" is what a frame that counts makes the operations read and write.
    """
    bench = Bench(case, dtype, device)
    names = bench.names(compiled)
    errors, refused = check(bench, names)
    jobs = {name: bench.job(name) for name in names if name in errors}
    clock = timing.events if device == "cuda" else timing.wall
    calls = {name: job.run for name, job in jobs.items()}
    if case.mode == "inference" and not case.lengths:
        calls[PRODUCTS] = bench.job(PRODUCTS).run
    times = timing.compare(calls, OURS, budget, clock)
    peaks = {name: _peak_on_gpu(job) for name, job in jobs.items()} if device == "cuda" else None
    work = Work.of(bench.net)
    countable = [name for name in jobs if name not in COMPILED]
    record = {
        "name": case.name,
        "label": case.label,
        "mode": case.mode,
        "dtype": str(dtype).removeprefix("torch."),
        "frames": case.frames,
        "padding": case.padding,
        "errors": errors,
        "refused": refused,
        **times,
        "frames_per_second": {n: case.frames / s for n, s in times["median"].items()},
        "multiplications": work.multiplications,
        "bytes": {n: moved(jobs[n].run, jobs[n].parameters) / case.frames for n in countable},
        "least_bytes": work.values * dtype.itemsize,
    }
    return record if peaks is None else {**record, "peak_bytes": peaks}


def _peak_on_gpu(job: Job) -> int:
    """Bytes by which a call raises what is allocated, weights and frames apart."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    job.run()
    return int(torch.cuda.max_memory_allocated() - before)
