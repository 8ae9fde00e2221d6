"""Timing of two callables in alternation: a change of the machine's speed hits both alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Timer = Callable[[], float]


@dataclass(frozen=True)
class Budget:
    """How long one row may take.

    Pairs are made for ``seconds``, at least ``min_pairs`` and at most ``max_pairs`` of them. Each
    sample repeats the call until it lasts ``min_sample`` seconds, which the timer resolves well.
    """

    seconds: float = 5.0
    min_pairs: int = 5
    max_pairs: int = 100
    min_sample: float = 0.005
    warm_up: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.min_pairs <= self.max_pairs:
            raise ValueError(
                f"expected 1 <= min_pairs <= max_pairs, got {self.min_pairs}, {self.max_pairs}"
            )


QUICK = Budget(seconds=0.02, min_pairs=3, max_pairs=5, min_sample=0.0, warm_up=0.0)


@dataclass(frozen=True)
class Quartiles:
    """Median and the two quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """Quartiles of at least one value, interpolated."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Pairs:
    """Seconds per call of two callables; ``first[k]`` and ``second[k]`` are neighbours in time."""

    first: list[float]
    second: list[float]
    calls_per_sample: int

    def ratio(self) -> Quartiles:
        """Quartiles of first/second, pair by pair."""
        return Quartiles.of([a / b for a, b in zip(self.first, self.second, strict=True)])


def _sample(call: Callable[[], object], number: int, timer: Timer) -> float:
    start = timer()
    for _ in range(number):
        call()
    return (timer() - start) / number


def _warm_up(call: Callable[[], object], seconds: float, timer: Timer) -> float:
    """Fastest of the calls made: at least two, because the first one allocates and plans."""
    start = timer()
    fastest = min(_sample(call, 1, timer), _sample(call, 1, timer))
    while timer() - start < seconds:
        fastest = min(fastest, _sample(call, 1, timer))
    return fastest


def alternate(
    first: Callable[[], object],
    second: Callable[[], object],
    budget: Budget,
    timer: Timer = time.perf_counter,
) -> Pairs:
    """Times both callables in pairs; each pair starts with the one that ended the pair before.

    The order is swapped because the second call of a pair finds the caches as the first left them.
    The garbage collector is off while a pair runs.
    """
    fastest = min(_warm_up(call, budget.warm_up / 2, timer) for call in (first, second))
    number = max(1, round(budget.min_sample / max(fastest, 1e-9)))
    calls = (first, second)
    samples: tuple[list[float], list[float]] = ([], [])
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        start = timer()
        for pair in range(budget.max_pairs):
            for which in (0, 1) if pair % 2 == 0 else (1, 0):
                samples[which].append(_sample(calls[which], number, timer))
            if pair + 1 >= budget.min_pairs and timer() - start >= budget.seconds:
                break
    finally:
        if collecting:
            gc.enable()
    return Pairs(*samples, calls_per_sample=number)
