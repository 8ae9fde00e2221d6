"""One side-by-side run over all rows."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import torch

from . import gate, machine, onnx_peer, peak
from .contenders import others, ours, ways_of_torch
from .peers import TORCH, Job, Peer
from .shapes import Case
from .timing import QUICK, Budget, alternate, fastest_call

STEP_SECONDS, STEP_SAMPLE = 2.0, 0.05
"""Time of the rounds of a row of single steps, and of a sample: streaming goes on step by step, so
that weights which fit in a cache are found there, not those of whoever had the turn before."""


Check = Callable[[Peer], dict[str, dict[str, float]]]


def _agreeing(row: dict[str, Any], contenders: list[Peer], check: Check) -> dict[str, Peer]:
    """Those that agree with float64; the row gets all errors, and why anyone was left out."""
    found = {}
    for contender in contenders:
        try:
            errors = check(contender)
        except gate.GateError as error:
            row["left_out"][contender.name] = str(error)
            continue
        found[contender.name] = contender
        for tensor, error in errors.items():
            row["errors"].setdefault(tensor, {}).update(error)
    return found


def _fastest(row: dict[str, Any], ways: dict[str, Job]) -> Job:
    """Of several ways to do it with torch, the one that took least in a call or two."""
    if len(ways) > 1:
        row["ways"] = {name: fastest_call(job.run, 0.0) for name, job in ways.items()}
        row["way"] = min(row["ways"], key=row["ways"].__getitem__)
        return ways[row["way"]]
    return next(iter(ways.values()))


def run_case(
    case: Case,
    peer: Peer,
    dtype: torch.dtype,
    budget: Budget,
    peak_gflops: float,
) -> dict[str, Any]:
    """Checks a case, times it against torch and returns its row.

    When the check fails, the row holds the reason as "refused" and no times.
    """
    row: dict[str, Any] = {
        "case": case.name,
        "name": case.title,
        "mode": case.mode,
        "label": case.label,
        "shape": asdict(case.shape),
        "input_grad": case.input_grad,
        "flops": case.flops,
        "errors": {},
        "left_out": {},
    }
    oracle = gate.Oracle(case, dtype)
    ways = _agreeing(row, ways_of_torch(case), oracle.check_of_torch)
    rest = _agreeing(row, [ours(case, peer), *others(case, dtype)], oracle.check)
    if not ways or peer.name not in rest:
        row["refused"] = row["left_out"].get(peer.name) or next(iter(row["left_out"].values()))
        return row
    inputs = oracle.inputs
    fastest = _fastest(row, {name: way.start(case, inputs) for name, way in ways.items()})
    calls = {TORCH.name: fastest.run}
    calls |= {name: contender.start(case, inputs).run for name, contender in rest.items()}
    rounds = alternate(calls, budget)
    row["median"] = {n: statistics.median(samples) for n, samples in rounds.seconds.items()}
    row["ratio"] = asdict(rounds.ratio(TORCH.name, peer.name))
    row["peers"] = {
        name: asdict(rounds.ratio(name, peer.name)) for name in rest if name != peer.name
    }
    row["gflops"] = {name: row["flops"] / median / 1e9 for name, median in row["median"].items()}
    row["share_of_peak"] = {name: value / peak_gflops for name, value in row["gflops"].items()}
    row["calls_per_sample"] = rounds.calls_per_sample
    row["seconds"] = {
        name: [float(f"{s:.4g}") for s in samples] for name, samples in rounds.seconds.items()
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
    seconds: float = 2.0,
    quick: bool = False,
    progress: Callable[[list[Case]], Iterable[Case]] = iter,
) -> dict[str, Any]:
    """Runs every row and returns the result that ``report.write`` stores.

    ``seconds`` is the time for the rounds of one row; single steps need less. ``quick`` makes a few
    rounds of one call each: it shows that everything works, and its figures mean nothing.
    """
    threads = threads or torch.get_num_threads()
    with thread_count(threads):
        result = machine.describe()
        result["settings"] = {"dtype": dtype, "seconds": seconds, "quick": quick}
        result["peak"] = peak.measure(getattr(torch, dtype), 0.0 if quick else 1.0)
        result["lacking"] = onnx_peer.missing()
        result["rows"] = []
        load = machine.OtherLoad()
        for case in progress(list(rows)):
            budget = Budget(seconds)
            if case.mode == "step":
                budget = Budget(min(seconds, STEP_SECONDS), min_sample=STEP_SAMPLE)
            result["rows"].append(
                run_case(
                    case,
                    peer,
                    getattr(torch, dtype),
                    QUICK if quick else budget,
                    result["peak"]["gflops"],
                )
            )
        result["other_load"] = load.share()
    return result
