import gc
from collections.abc import Callable

import pytest

from benchmarks.timing import Budget, Pairs, Quartiles, alternate


class Clock:
    """A timer that only moves when a call says how long it took."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def job(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.log.append(name)
            self.now += seconds

        return call


def test_pairs_alternate_and_swap_their_order() -> None:
    clock = Clock()
    budget = Budget(seconds=0.0, min_pairs=3, max_pairs=9, min_sample=0.0, warm_up=0.0)
    pairs = alternate(clock.job("a", 3.0), clock.job("b", 2.0), budget, timer=clock)
    assert clock.log == ["a", "a", "b", "b", "a", "b", "b", "a", "a", "b"]
    assert (pairs.first, pairs.second) == ([3.0] * 3, [2.0] * 3)
    assert pairs.ratio() == Quartiles(1.5, 1.5, 1.5)


def test_a_short_call_is_repeated_within_a_sample() -> None:
    clock = Clock()
    budget = Budget(seconds=0.0, min_pairs=1, max_pairs=1, min_sample=1.0, warm_up=0.0)
    pairs = alternate(clock.job("a", 0.25), clock.job("b", 0.5), budget, timer=clock)
    assert pairs.calls_per_sample == 4
    assert (pairs.first, pairs.second) == ([0.25], [0.5])


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(seconds=10.0, min_pairs=1, max_pairs=100, min_sample=0.0), 5),
        (Budget(seconds=10.0, min_pairs=7, max_pairs=100, min_sample=0.0), 7),
        (Budget(seconds=10.0, min_pairs=1, max_pairs=2, min_sample=0.0), 2),
    ],
    ids=["seconds", "min_pairs", "max_pairs"],
)
def test_the_budget_ends_a_row(budget: Budget, expected: int) -> None:
    clock = Clock()
    pairs = alternate(clock.job("a", 1.0), clock.job("b", 1.0), budget, timer=clock)
    assert len(pairs.first) == len(pairs.second) == expected


def test_the_collector_is_off_inside_and_as_before_afterwards() -> None:
    clock, seen = Clock(), []

    def fails() -> None:
        seen.append(gc.isenabled())
        clock.now += 1.0
        if len(seen) == 4:
            raise KeyError

    assert gc.isenabled()
    budget = Budget(seconds=0.0, min_pairs=3, max_pairs=3, min_sample=0.0, warm_up=0.0)
    with pytest.raises(KeyError):
        alternate(fails, clock.job("b", 1.0), budget, timer=clock)
    assert seen[2:] == [False, False]
    assert gc.isenabled()


def test_the_ratio_is_taken_pair_by_pair() -> None:
    # The machine is four times slower during the second pair: medians of the times would mislead.
    pairs = Pairs([2.0, 8.0, 3.0], [1.0, 4.0, 1.0], calls_per_sample=1)
    assert pairs.ratio() == Quartiles(2.0, 2.0, 2.5)
    assert Quartiles.of([3.0]) == Quartiles(3.0, 3.0, 3.0)


def test_an_impossible_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="min_pairs <= max_pairs"):
        Budget(min_pairs=5, max_pairs=4)
