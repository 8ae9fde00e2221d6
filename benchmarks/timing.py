"""Timing of callables in alternation: a change of the machine's speed hits all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Timer = Callable[[], float]


@dataclass(frozen=True)
class Budget:
    """How long one row may take.

    Rounds are made for ``seconds``, at least ``min_rounds`` and at most ``max_rounds`` of them.
    Each sample repeats the call until it lasts ``min_sample`` seconds, which the timer resolves
    well.
    """

    seconds: float = 2.0
    min_rounds: int = 5
    max_rounds: int = 100
    min_sample: float = 0.005
    warm_up: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.min_rounds <= self.max_rounds:
            raise ValueError(
                f"expected 1 <= min_rounds <= max_rounds, got {self.min_rounds}, {self.max_rounds}"
            )


QUICK = Budget(seconds=0.02, min_rounds=3, max_rounds=5, min_sample=0.0, warm_up=0.0)


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
class Rounds:
    """Seconds per call of some callables; those with one index are neighbours in time."""

    seconds: dict[str, list[float]]
    calls_per_sample: int

    def ratio(self, first: str, second: str) -> Quartiles:
        """Quartiles of one's time over another's, round by round."""
        pairs = zip(self.seconds[first], self.seconds[second], strict=True)
        return Quartiles.of([a / b for a, b in pairs])


def _sample(call: Callable[[], object], number: int, timer: Timer) -> float:
    start = timer()
    for _ in range(number):
        call()
    return (timer() - start) / number


def fastest_call(
    call: Callable[[], object], seconds: float, timer: Timer = time.perf_counter
) -> float:
    """Seconds of the fastest of the calls made: at least two, as the first allocates and plans."""
    start = timer()
    fastest = min(_sample(call, 1, timer), _sample(call, 1, timer))
    while timer() - start < seconds:
        fastest = min(fastest, _sample(call, 1, timer))
    return fastest


def alternate(
    calls: Mapping[str, Callable[[], object]], budget: Budget, timer: Timer = time.perf_counter
) -> Rounds:
    """Times all callables in rounds; each round starts with the one that ended the round before.

    So each of them is as often as the others the one that finds the caches as it left them itself.
    The garbage collector is off meanwhile.
    """
    shortest = min(
        fastest_call(call, budget.warm_up / len(calls), timer) for call in calls.values()
    )
    number = max(1, round(budget.min_sample / max(shortest, 1e-9)))
    order = deque(calls)
    samples: dict[str, list[float]] = {name: [] for name in calls}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        start = timer()
        for turn in range(budget.max_rounds):
            for name in order:
                samples[name].append(_sample(calls[name], number, timer))
            order.rotate()
            if turn + 1 >= budget.min_rounds and timer() - start >= budget.seconds:
                break
    finally:
        if collecting:
            gc.enable()
    return Rounds(samples, number)
