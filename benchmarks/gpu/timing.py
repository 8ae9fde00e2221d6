"""Times of several callables on a GPU, in alternation, by CUDA events."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch

from ..timing import Quartiles

Call = Callable[[], object]


@dataclass(frozen=True)
class Budget:
    """How long the samples of one callable may take, and how many there are at least and at most.

    A sample repeats the call for at least ``min_sample`` seconds, which the events resolve well.
    """

    seconds: float = 0.1
    min_rounds: int = 5
    max_rounds: int = 40
    min_sample: float = 0.001


PAPER = Budget(0.08, 9)
GRID = Budget(0.04, 5)
QUICK = Budget(0.0, 1, 1, 0.0)


class Clock(Protocol):
    """Seconds that ``number`` calls take on a device."""

    def __call__(self, call: Call, number: int) -> float:
        """Makes the calls and returns the seconds of all of them."""


def events(call: Call, number: int) -> float:
    """By CUDA events around the calls: the device's time, with its waits for the host."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(number):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) * 1e-3


def wall(call: Call, number: int) -> float:
    """By the host's clock, for calls that wait for their results."""
    start = time.perf_counter()
    for _ in range(number):
        call()
    return time.perf_counter() - start


def _rounded(value: float) -> float:
    """No clock here resolves more digits, and the file stays readable."""
    return float(f"{value:.5g}")


def compare(
    calls: Mapping[str, Call], base: str, budget: Budget, clock: Clock = events
) -> dict[str, Any]:
    """Median seconds of each callable, and the quartiles of ``base`` over each of the others.

    A round takes one sample of every callable; every other round goes through them backwards,
    because a call finds caches and clocks as the one before left them. Nothing empties the L2
    cache between calls: the steps of a sequence follow each other just as closely.
    """
    numbers = {}
    for name, call in calls.items():
        # The first calls allocate and choose algorithms.
        clock(call, 2)
        numbers[name] = max(1, round(budget.min_sample / max(clock(call, 1), 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    spent = 0.0
    for turn in range(budget.max_rounds):
        for name in list(calls) if turn % 2 == 0 else reversed(list(calls)):
            seconds = clock(calls[name], numbers[name])
            spent += seconds
            samples[name].append(seconds / numbers[name])
        if turn + 1 >= budget.min_rounds and spent >= budget.seconds * len(calls):
            break
    ratios: dict[str, dict[str, float]] = {}
    for name in calls:
        if name != base and base in calls:
            pairs = [a / b for a, b in zip(samples[base], samples[name])]
            quartiles = asdict(Quartiles.of(pairs))
            ratios[name] = {key: _rounded(value) for key, value in quartiles.items()}
    return {
        "median": {name: _rounded(statistics.median(found)) for name, found in samples.items()},
        "ratio": ratios,
        "rounds": len(next(iter(samples.values()))),
    }


@dataclass(frozen=True)
class Captured:
    """A call as a CUDA graph: ``replay`` runs it, ``results`` are the tensors that it writes."""

    replay: Call
    results: tuple[torch.Tensor, ...]


def capture(call: Callable[[], tuple[torch.Tensor, ...]]) -> Captured:
    """Records ``call`` as a CUDA graph.

    Raises:
        RuntimeError: something in it cannot be recorded.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = call()
    return Captured(graph.replay, results)


def replay_onto_nan(captured: Captured) -> tuple[torch.Tensor, ...]:
    """One replay, before which all its results are overwritten: what it leaves out stays NaN."""
    with torch.inference_mode():
        for result in captured.results:
            result.detach().fill_(float("nan"))
    captured.replay()
    return captured.results
