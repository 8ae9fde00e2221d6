"""Several scans in one call of the CUDA kernels: each gets, bit for bit, what it gets alone."""

from collections.abc import Iterator

import pytest
from torch import Tensor

from tests.emulator import lstm
from tests.emulator.module import emulator
from tests.emulator.test_lstm import ARITHMETICS, check, loop
from tests.helpers.cases import Case, build
from tests.helpers.tolerance import assert_bitwise_equal

KINDS = [lstm.STEP, lstm.CLUSTER, lstm.GRID]
LENGTHS = tuple((5 * n) % 8 for n in range(11))
# Two slices of the smallest variants each.
DIRECTIONS = [
    Case("there", T=7, B=11, H=24, cont="random", lengths=LENGTHS),
    Case("back", T=7, B=11, H=24, cont="random", lengths=LENGTHS, reverse=True),
]
WINDOWS = [
    Case("first", T=6, B=5, H=16),
    Case("static", T=1, B=5, H=16, static=True, state=False),
    Case("ragged", T=3, B=5, H=16, lengths=(0, 3, 1, 2, 0), batch_first=True),
    Case("long", T=9, B=5, H=16, cont="random", reverse=True),
]


def run(
    cases: list[Case], arithmetic: str, kernel: int, backward: bool, together: int = 4
) -> list[tuple[Tensor, ...]]:
    dtype, tf32 = ARITHMETICS[arithmetic]
    scans, variant = [build(case, dtype) for case in cases], (kernel, 0 if kernel else -1)
    if not backward:
        return lstm.forward_scans(scans, tf32, kernel=variant, together=together)
    saved = [loop(case, dtype)[0] for case in cases]
    pairs = [(forward[4], forward[3]) for forward in saved]
    return lstm.backward_scans(scans, pairs, tf32, variant, together)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kernel", KINDS)
@pytest.mark.parametrize("arithmetic", ["bfloat16", "tf32"])
@pytest.mark.parametrize("cases", [DIRECTIONS, WINDOWS], ids=["directions", "windows"])
def test_together_as_alone(cases: list[Case], arithmetic: str, kernel: int, backward: bool) -> None:
    alone = [run([case], arithmetic, kernel, backward)[0] for case in cases]
    names = lstm.BACKWARD if backward else lstm.FORWARD
    for seed in range(2):
        emulator().set_seed(seed)
        before = emulator().launches()
        together = run(cases, arithmetic, kernel, backward)
        if kernel != lstm.STEP:
            assert emulator().launches() == before + 1
        for case, ours, wanted in zip(cases, together, alone, strict=True):
            for name, one, other in zip(names, ours, wanted, strict=True):
                assert_bitwise_equal(one, other, f"{case}: {name}")
            oracles = loop(case, ARITHMETICS[arithmetic][0])[2 * backward :][:2]
            check(names, ours, *oracles, arithmetic=arithmetic)


@pytest.fixture
def blocks_at_once() -> Iterator[None]:
    yield
    emulator().set_blocks_at_once(2**32 - 1)


# The blocks of one scan of WINDOWS, forward and backward.
@pytest.mark.parametrize("backward, room", [(False, 2), (True, 1)])
def test_a_grid_too_large_for_the_gpu_runs_scan_by_scan(
    backward: bool, room: int, blocks_at_once: None
) -> None:
    emulator().set_blocks_at_once(room)
    before = emulator().launches()
    run(WINDOWS, "float16", lstm.GRID, backward)
    assert emulator().launches() == before + len(WINDOWS)
    assert "Grid" in emulator().last_launch()


@pytest.mark.parametrize("together, launches", [(0, 4), (1, 4), (2, 2), (3, 2), (4, 1), (99, 1)])
@pytest.mark.parametrize("kernel", [lstm.CLUSTER, lstm.GRID])
def test_a_launch_takes_as_many_scans_as_planned(kernel: int, together: int, launches: int) -> None:
    before = emulator().launches()
    run(WINDOWS, "float16", kernel, False, together)
    assert emulator().launches() == before + launches


def test_more_scans_than_a_launch_takes() -> None:
    cases = [*WINDOWS, *WINDOWS[:2]]
    before = emulator().launches()
    results = run(cases, "float16", lstm.CLUSTER, False)
    assert emulator().launches() == before + 2
    for name, ours, wanted in zip(lstm.FORWARD, results[4], results[0]):
        assert_bitwise_equal(ours, wanted, name)
