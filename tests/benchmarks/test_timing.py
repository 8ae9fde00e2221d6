import gc
from collections.abc import Callable

import pytest

from benchmarks.timing import Budget, Quartiles, Rounds, alternate


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


def test_rounds_begin_with_the_one_that_ended_the_round_before() -> None:
    clock = Clock()
    budget = Budget(seconds=0.0, min_rounds=4, max_rounds=9, min_sample=0.0, warm_up=0.0)
    calls = {name: clock.job(name, seconds) for name, seconds in (("a", 3), ("b", 2), ("c", 1))}
    rounds = alternate(calls, budget, timer=clock)
    assert clock.log == [*"aabbcc", *"abc", *"cab", *"bca", *"abc"]
    assert rounds.seconds == {"a": [3.0] * 4, "b": [2.0] * 4, "c": [1.0] * 4}
    assert rounds.ratio("a", "b") == Quartiles(1.5, 1.5, 1.5)


def test_a_short_call_is_repeated_within_a_sample() -> None:
    clock = Clock()
    budget = Budget(seconds=0.0, min_rounds=1, max_rounds=1, min_sample=1.0, warm_up=0.0)
    rounds = alternate({"a": clock.job("a", 0.25), "b": clock.job("b", 0.5)}, budget, timer=clock)
    assert rounds.calls_per_sample == 4
    assert rounds.seconds == {"a": [0.25], "b": [0.5]}


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(seconds=10.0, min_rounds=1, max_rounds=100, min_sample=0.0), 5),
        (Budget(seconds=10.0, min_rounds=7, max_rounds=100, min_sample=0.0), 7),
        (Budget(seconds=10.0, min_rounds=1, max_rounds=2, min_sample=0.0), 2),
    ],
    ids=["seconds", "min_rounds", "max_rounds"],
)
def test_the_budget_ends_a_row(budget: Budget, expected: int) -> None:
    clock = Clock()
    rounds = alternate({"a": clock.job("a", 1.0), "b": clock.job("b", 1.0)}, budget, timer=clock)
    assert [len(samples) for samples in rounds.seconds.values()] == [expected, expected]


def test_the_collector_is_off_inside_and_as_before_afterwards() -> None:
    clock, seen = Clock(), []

    def fails() -> None:
        seen.append(gc.isenabled())
        clock.now += 1.0
        if len(seen) == 4:
            raise KeyError

    assert gc.isenabled()
    budget = Budget(seconds=0.0, min_rounds=3, max_rounds=3, min_sample=0.0, warm_up=0.0)
    with pytest.raises(KeyError):
        alternate({"fails": fails, "b": clock.job("b", 1.0)}, budget, timer=clock)
    assert seen[2:] == [False, False]
    assert gc.isenabled()


def test_the_ratio_is_taken_round_by_round() -> None:
    # The machine is four times slower in the second round: medians of the times would mislead.
    rounds = Rounds({"a": [2.0, 8.0, 3.0], "b": [1.0, 4.0, 1.0]}, calls_per_sample=1)
    assert rounds.ratio("a", "b") == Quartiles(2.0, 2.0, 2.5)
    assert Quartiles.of([3.0]) == Quartiles(3.0, 3.0, 3.0)


def test_an_impossible_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="min_rounds <= max_rounds"):
        Budget(min_rounds=5, max_rounds=4)
