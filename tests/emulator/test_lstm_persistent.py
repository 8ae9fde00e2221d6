"""The kernels that stay for a whole sequence, on the CPU, against the reference.

Every variant that is compiled runs in one of its arithmetics. An absent word or buffer is NaN, so a
state that is read too early, too late or from the wrong place shows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.emulator import lstm
from tests.emulator.module import emulator
from tests.emulator.test_lstm import ARITHMETICS, check, loop
from tests.helpers.cases import CASES, Case, Tensors, build
from tests.helpers.tolerance import assert_bitwise_equal

ROOT = Path(__file__).resolve().parents[2]
HALVES = ("float16", "bfloat16")
TENSOR_CORES = (*HALVES, "tf32", "tf32x3")


@dataclass(frozen=True)
class Variant:
    """A row of lstm_variants.h: ``shares`` blocks of a cluster share out the depth."""

    kernel: int
    backward: bool
    arithmetic: str
    position: int
    row: tuple[int, ...]
    hidden: int
    shares: int

    @property
    def rows(self) -> int:
        return 8 * self.row[-1]

    def __str__(self) -> str:
        kind = "cluster" if self.kernel == lstm.CLUSTER else "grid"
        direction = "backward" if self.backward else "forward"
        return f"{kind}-{direction}-{self.arithmetic}-{'.'.join(map(str, self.row))}"


def variants() -> list[Variant]:
    text = (ROOT / "csrc/include/lrcn_fast/lstm_variants.h").read_text().replace("\\\n", "")
    found = []
    for kind, direction, family, rows in re.findall(
        r"#define LRCN_(CLUSTER|GRID)_(FORWARD|BACKWARD)_(HALF|TF32)\(X\)(.*)", text
    ):
        backward = direction == "BACKWARD"
        names = HALVES if family == "HALF" else TENSOR_CORES[2:]
        chunk = (32 if family == "HALF" else 16) * 8
        for position, given in enumerate(re.findall(r"X\(([^)]*)\)", rows)):
            row = tuple(int(number) for number in given.split(","))
            shares = 1 if kind == "CLUSTER" else row[-4]
            depth = chunk * row[-3] * shares // (row[0] if kind == "CLUSTER" else 1)
            kernel = lstm.CLUSTER if kind == "CLUSTER" else lstm.GRID
            hidden = depth // 4 if backward else depth
            found += [
                Variant(kernel, backward, name, position, row, hidden, shares) for name in names
            ]
    return found


VARIANTS = variants()
# Kernel, direction, and whether blocks share out the depth.
KINDS = [
    (kernel, backward, shares)
    for kernel, shares in ((lstm.CLUSTER, False), (lstm.GRID, False), (lstm.GRID, True))
    for backward in (False, True)
]


def rotated() -> list[Variant]:
    """Every row of lstm_variants.h once, its two arithmetics in turn."""
    return [
        v
        for v in VARIANTS
        if v.arithmetic == (HALVES if v.arithmetic in HALVES else TENSOR_CORES[2:])[v.position % 2]
    ]


def smallest(kernel: int, backward: bool, arithmetic: str, shares: bool = False) -> Variant:
    """The first of its kind in the list."""
    wanted = (kernel, backward, arithmetic, shares)
    return next(v for v in VARIANTS if (v.kernel, v.backward, v.arithmetic, v.shares > 1) == wanted)


def run_on(
    x: Tensors, variant: Variant, seed: int, saved: tuple[Tensor, ...] = ()
) -> tuple[Tensor, ...]:
    """What the variant makes of ``x``; ``saved`` by a forward, for those that walk back."""
    emulator().set_seed(seed)
    tf32, kernel = ARITHMETICS[variant.arithmetic][1], (variant.kernel, variant.position)
    if variant.backward:
        activations, cells = saved
        actual = lstm.backward(x, activations, cells, tf32, kernel)
    else:
        actual = lstm.forward(x, tf32, kernel=kernel)
    # A launcher that refuses leaves the sequence to the kernels of one step.
    kind = "Cluster" if variant.kernel == lstm.CLUSTER else "Grid"
    direction = "Backward" if variant.backward else "Forward"
    launched = emulator().last_launch()
    assert launched == f"lrcn_fast::cuda::{kind}{direction}", launched
    return actual


def run(case: Case, variant: Variant, seed: int = 0) -> None:
    dtype = ARITHMETICS[variant.arithmetic][0]
    forward, exact_forward, backward, exact_backward = loop(case, dtype)
    actual = run_on(build(case, dtype), variant, seed, (forward[4], forward[3]))
    if variant.backward:
        check(lstm.BACKWARD, actual, backward, exact_backward, arithmetic=variant.arithmetic)
    else:
        check(lstm.FORWARD, actual, forward, exact_forward, arithmetic=variant.arithmetic)


def test_all_variants_are_found() -> None:
    assert len(VARIANTS) == len(set(map(str, VARIANTS))) == 2 * len(rotated()) > 40


@pytest.mark.parametrize("variant", [v for v in rotated() if v.hidden <= 256], ids=str)
def test_variant(variant: Variant) -> None:
    """Ragged and with resets, more rows than a slice, and units that the blocks do not fill."""
    hidden = variant.hidden - 8
    batch = variant.rows + 3
    lengths = tuple((5 * n) % 4 for n in range(batch))
    run(Case(str(variant), T=3, B=batch, H=hidden, cont="random", lengths=lengths), variant, 1)


@pytest.mark.parametrize("variant", [v for v in rotated() if v.hidden > 256], ids=str)
def test_large_variant(variant: Variant) -> None:
    """With few units: the blocks of a grid are as many as these need."""
    run(Case("few units", T=3, B=3, H=72, cont="random", lengths=(3, 1, 2)), variant, 2)


@pytest.mark.parametrize("variant", [v for v in rotated() if v.kernel == lstm.GRID], ids=str)
def test_a_grid_of_odd_rows(variant: Variant) -> None:
    """More of them than a slice has, of units that fill no word of 16 bytes."""
    batch = variant.rows + 3
    lengths = tuple((5 * n) % 4 for n in range(batch))
    run(Case("odd", T=3, B=batch, H=21, cont="random", lengths=lengths), variant, 3)


# One of each kernel. Those in shared memory and of the last chunks are zero where units are few.
@pytest.mark.parametrize(
    "kernel, backward, arithmetic, row, hidden",
    [
        (lstm.CLUSTER, False, "float16", (4, 8, 10, 1), 504),
        (lstm.CLUSTER, True, "float16", (2, 16, 9, 1), 504),
        (lstm.GRID, False, "bfloat16", (2, 1, 8, 16, 1), 2041),
        (lstm.GRID, True, "bfloat16", (1, 32, 16, 1), 2041),
        (lstm.GRID, False, "tf32", (1, 2, 4, 6, 2), 1000),
        (lstm.GRID, True, "float16", (4, 4, 10, 2), 1000),
    ],
)
def test_all_weights(
    kernel: int, backward: bool, arithmetic: str, row: tuple[int, ...], hidden: int
) -> None:
    wanted = (kernel, backward, arithmetic, row)
    variant = next(v for v in VARIANTS if (v.kernel, v.backward, v.arithmetic, v.row) == wanted)
    run(Case("many units", T=2, B=2, H=hidden), variant, 3)


ROWS = [case for case in CASES if not case.P and case.B]


@pytest.mark.parametrize("arithmetic", ["float16", "tf32"])
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case_on_a_cluster(case: Case, arithmetic: str) -> None:
    for backward in (False, True):
        run(case, smallest(lstm.CLUSTER, backward, arithmetic), sum(map(ord, case.name)))


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("arithmetic", ["float16", "tf32"])
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case_on_a_grid(case: Case, arithmetic: str, shares: bool) -> None:
    # The weights of tf32 leave room for the cells of few slices on the way back.
    ways = (False,) if case.name == "many_streams" and arithmetic == "tf32" else (False, True)
    for backward in ways:
        variant = smallest(lstm.GRID, backward, arithmetic, shares)
        run(case, variant, sum(map(ord, case.name)))


@pytest.mark.parametrize("kernel, backward, shares", KINDS)
def test_the_order_of_threads_does_not_matter(kernel: int, backward: bool, shares: bool) -> None:
    """Several slices, of which the last is not full."""
    lengths = tuple((3 * n) % 6 for n in range(19))
    case = Case("orders", T=5, B=19, H=24, cont="random", lengths=lengths, reverse=True)
    for seed in range(4):
        run(case, smallest(kernel, backward, "float16", shares), seed)


def all_ones(tensor: Tensor) -> Tensor:
    """The NaN that also stands for a word that is not there yet."""
    integer = torch.int16 if tensor.element_size() == 2 else torch.int32
    return torch.full_like(tensor.view(integer), -1).view(tensor.dtype)


@pytest.mark.parametrize("arithmetic", TENSOR_CORES)
@pytest.mark.parametrize("kernel, hidden", [(lstm.CLUSTER, 16), (lstm.GRID, 16), (lstm.GRID, 13)])
def test_inputs_that_look_absent_are_taken_as_they_are(
    kernel: int, hidden: int, arithmetic: str
) -> None:
    """Row 0 starts anew and never sees its state, 1 carries it on, 2 has no step, 3 bad gates."""
    clean = build(
        Case("absent", T=3, B=5, H=hidden, lengths=(3, 3, 0, 3, 2)), ARITHMETICS[arithmetic][0]
    )
    assert clean.h0 is not None and clean.c0 is not None
    clean.cont = torch.ones(3, 5, dtype=torch.bool)
    clean.cont[0, 0] = False
    h0, c0 = clean.h0.clone(), clean.c0.clone()
    dirty = replace(clean, h0=h0, c0=c0, gates=clean.gates.clone())
    for state in (h0, c0):
        state[:3] = all_ones(state[:3])
    dirty.gates[:, 3] = all_ones(dirty.gates[:, 3])
    variant = smallest(kernel, False, arithmetic)
    expected, actual = (run_on(x, variant, 4) for x in (clean, dirty))
    for name, ours, wanted in zip(lstm.FORWARD, actual, expected):
        for row in (0, 4):
            assert_bitwise_equal(
                ours[..., row, :].contiguous(), wanted[..., row, :].contiguous(), name
            )
        assert ours[..., 1, :].isnan().all() or name == "activations"
    assert_bitwise_equal(actual[1][2], h0[2], "h_n of the row without a step")
    assert actual[0][:, 3].isnan().all()

    grads = replace(clean, grad_output=clean.grad_output.clone())
    grads.grad_output[:, 3] = all_ones(grads.grad_output[:, 3])
    variant = smallest(kernel, True, arithmetic)
    saved = expected[4], expected[3]
    expected, actual = (run_on(x, variant, 4, saved) for x in (clean, grads))
    for name, ours, wanted in zip(lstm.BACKWARD[:3], actual, expected):
        for row in (0, 1, 2, 4):
            assert_bitwise_equal(
                ours[..., row, :].contiguous(), wanted[..., row, :].contiguous(), name
            )
    assert actual[1][3].isnan().all()


@pytest.fixture
def blocks_at_once() -> Iterator[None]:
    yield
    emulator().set_blocks_at_once(2**32 - 1)


@pytest.mark.parametrize(
    "room, launched", [(8, "GridForward"), (7, "ClusterForward"), (0, "ClusterForward")]
)
def test_the_next_choice_is_tried(room: int, launched: str, blocks_at_once: None) -> None:
    """The grid that H=64 needs has 8 blocks."""
    emulator().set_blocks_at_once(room)
    x = build(Case("choices", T=3, B=3, H=64), torch.float16)
    lstm.forward(x, kernel=(lstm.GRID, 0), then=((lstm.GRID, 1), (lstm.CLUSTER, 0)))
    assert emulator().last_launch() == f"lrcn_fast::cuda::{launched}"
    lstm.forward(x, kernel=(lstm.GRID, 0))
    assert ("Grid" if room == 8 else "Step") in emulator().last_launch()
