"""The CUDA kernels of the LSTM over a sequence, on the CPU, against the reference."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.emulator import lstm
from tests.emulator.module import emulator
from tests.helpers.cases import CASES, Case, Tensors, build
from tests.helpers.tolerance import (
    assert_bitwise_equal,
    assert_no_worse_than_torch,
    floor_eps_of,
)

# dtype, and TF32 products for one of float32.
ARITHMETICS = {
    "float16": (torch.float16, 0),
    "bfloat16": (torch.bfloat16, 0),
    "float32": (torch.float32, 0),
    "tf32": (torch.float32, 1),
    "tf32x3": (torch.float32, 3),
    "float64": (torch.float64, 0),
}
# Beside the rows that every implementation gets: what decides between tiles, and how they load.
SHAPES = [
    Case("vectors", T=3, B=20, H=16),
    Case(
        "vectors_projection", 3, 18, 32, 16, True, True, "random", tuple(n % 4 for n in range(18))
    ),
    Case("two_rounds", T=2, B=3, H=288, cont="random"),
    Case("tall_tile", T=2, B=40, H=72, lengths=tuple(n % 3 for n in range(40))),
]


@cache
def loop(case: Case, dtype: torch.dtype) -> tuple[tuple[Tensor, ...], ...]:
    x = build(case, dtype)
    exact = x.map(Tensor.double)
    forward = reference.lstm_forward(*x.forward_arguments(), True, True)
    saved = forward[4], forward[3]
    return (
        forward,
        reference.lstm_forward(*exact.forward_arguments(), True, True),
        reference.lstm_backward(*x.backward_arguments(*saved)),
        reference.lstm_backward(*exact.backward_arguments(*(t.double() for t in saved))),
    )


def check(
    names: tuple[str, ...], actual: tuple[Tensor, ...], *others: tuple[Tensor, ...], arithmetic: str
) -> None:
    floor = floor_eps_of(ARITHMETICS[arithmetic][1])
    for name, *three in zip(names, actual, *others, strict=True):
        assert_no_worse_than_torch(*three, name, floor_eps=floor)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("case", [*CASES, *SHAPES], ids=str)
def test_case(case: Case, arithmetic: str) -> None:
    dtype, tf32 = ARITHMETICS[arithmetic]
    forward, exact_forward, backward, exact_backward = loop(case, dtype)
    x = build(case, dtype)
    emulator().set_seed(sum(map(ord, case.name)))
    check(lstm.FORWARD, lstm.forward(x, tf32), forward, exact_forward, arithmetic=arithmetic)
    actual = lstm.backward(x, forward[4], forward[3], tf32)
    check(lstm.BACKWARD, actual, backward, exact_backward, arithmetic=arithmetic)


@pytest.fixture
def few_multiprocessors() -> Iterator[None]:
    """A GPU so small that tall tiles are the cheapest."""
    emulator().set_multiprocessors(1)
    yield
    emulator().set_multiprocessors(132)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("batch", [3, 20, 40])
def test_tall_tiles(batch: int, arithmetic: str, few_multiprocessors: None) -> None:
    """Tiles of 16, 32 and 64 rows of the batch where the arithmetic has them."""
    lengths = tuple(n % 3 for n in range(batch))
    case = Case(f"tall_{batch}", T=2, B=batch, H=72, cont="random", lengths=lengths)
    dtype, tf32 = ARITHMETICS[arithmetic]
    forward, exact_forward, backward, exact_backward = loop(case, dtype)
    x = build(case, dtype)
    emulator().set_seed(batch)
    check(lstm.FORWARD, lstm.forward(x, tf32), forward, exact_forward, arithmetic=arithmetic)
    actual = lstm.backward(x, forward[4], forward[3], tf32)
    check(lstm.BACKWARD, actual, backward, exact_backward, arithmetic=arithmetic)
    # A tile's sums are all of its block's shared memory: 8 warps, 4 gates, rows x 8 units.
    tallest = {"float32": 32, "float64": 16, "tf32x3": 32}.get(arithmetic, 64)
    rows = min(tallest, 16 * 2 ** (batch > 16) * 2 ** (batch > 32))
    size = 8 if arithmetic == "float64" else 4
    lstm.forward(x, tf32)
    assert emulator().last_shared_bytes() == 8 * 4 * rows * 8 * size


def rows_of(x: Tensors, rows: slice) -> Tensors:
    """Some rows of a time-major batch, as a call of their own."""
    first = ("static_gates", "h0", "c0", "lengths", "grad_h_n", "grad_c_n")
    second = ("gates", "cont", "grad_output", "grad_cells")
    parts = {name: getattr(x, name) for name in (*first, *second)}
    return replace(
        x,
        **{
            name: None if part is None else part[rows] if name in first else part[:, rows]
            for name, part in parts.items()
        },
    )


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_a_row_is_the_same_alone_and_among_others_and_in_any_order(arithmetic: str) -> None:
    """Whatever tile the size of the batch calls for."""
    dtype, tf32 = ARITHMETICS[arithmetic]
    case = Case("batch", T=2, B=35, H=40, lengths=tuple(n % 3 for n in range(35)), cont="random")
    x = build(case, dtype)
    emulator().set_seed(1)
    together = lstm.forward(x, tf32)
    together_back = lstm.backward(x, together[4], together[3], tf32)
    emulator().set_seed(2)
    for rows in (slice(0, 1), slice(16, 35)):
        part = rows_of(x, rows)
        alone = lstm.forward(part, tf32)
        alone_back = lstm.backward(part, alone[4], alone[3], tf32)
        for names, ours, all_rows in (
            (lstm.FORWARD, alone, together),
            (lstm.BACKWARD[:3], alone_back, together_back),
        ):
            for name, one, whole in zip(names, ours, all_rows):
                expected = whole[rows] if whole.dim() == 2 else whole[:, rows]
                assert_bitwise_equal(one, expected.contiguous(), name)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("arithmetic", ["float16", "float32"])
def test_nan_dies_where_a_sequence_starts_and_past_the_lengths(
    arithmetic: str, reverse: bool
) -> None:
    dtype, tf32 = ARITHMETICS[arithmetic]
    case = Case("nan", T=5, B=3, H=16, lengths=(5, 3, 0), reverse=reverse)
    clean = build(case, dtype)
    clean.cont = torch.ones(5, 3, dtype=torch.bool)
    clean.cont[2] = False
    dirty = replace(clean, gates=clean.gates.clone())
    dirty.gates[3:, 1] = torch.nan
    dirty.gates[:, 2] = torch.nan
    # Row 0 is dirty before the start at step 2, seen in the direction of the scan.
    before, after = (slice(2, 5), slice(0, 2)) if reverse else (slice(0, 2), slice(2, 5))
    dirty.gates[before, 0] = torch.nan
    expected, actual = lstm.forward(clean, tf32), lstm.forward(dirty, tf32)
    for name, ours, wanted in zip(lstm.FORWARD, actual, expected):
        if ours.dim() == 3:
            assert_bitwise_equal(ours[after], wanted[after], name)
        assert_bitwise_equal(ours[..., 1:, :].contiguous(), wanted[..., 1:, :].contiguous(), name)


@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_that_nobody_could_check_count_as_the_nearest_end(reverse: bool) -> None:
    x = build(Case("wild", T=4, B=3, H=16, lengths=(4, 0, 2), reverse=reverse), torch.float32)
    wild = replace(x, lengths=torch.tensor([2**40, -(2**40), 2]))
    expected, actual = lstm.forward(x), lstm.forward(wild)
    for name, ours, wanted in zip(lstm.FORWARD, actual, expected):
        assert_bitwise_equal(ours, wanted, name)
    back, wild_back = (lstm.backward(y, expected[4], expected[3]) for y in (x, wild))
    for name, ours, wanted in zip(lstm.BACKWARD, wild_back, back):
        assert_bitwise_equal(ours, wanted, name)


@pytest.mark.parametrize("saved", ["cells", "activations", None])
def test_what_is_not_saved_is_not_written(saved: str | None) -> None:
    x = build(next(case for case in CASES if case.name == "all"), torch.float32)
    expected = lstm.forward(x)
    actual = lstm.forward(x, save=(saved,) if saved else ())
    for name, ours, wanted in zip(lstm.FORWARD, actual, expected):
        if name in (*lstm.FORWARD[:3], saved):
            assert_bitwise_equal(ours, wanted, name)
        else:
            assert ours.isnan().all()


@pytest.mark.parametrize("missing", ["grad_output", "grad_h_n", "grad_c_n", "grad_cells"])
def test_a_missing_gradient_counts_as_zero(missing: str) -> None:
    x = build(next(case for case in CASES if case.name == "all_reverse"), torch.float64)
    forward = lstm.forward(x)
    zeros = replace(x, **{missing: torch.zeros_like(getattr(x, missing))})
    without = replace(x, **{missing: None})
    for name, ours, wanted in zip(
        lstm.BACKWARD, *(lstm.backward(y, forward[4], forward[3]) for y in (without, zeros))
    ):
        assert torch.equal(ours, wanted), name
