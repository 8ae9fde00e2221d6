"""The native relu_max_pool_lrn against its definition: every row, order, format, dtype, set."""

import pytest
import torch
from torch import Tensor

from tests.helpers.maps import (
    CASES,
    FORMATS,
    NAMES,
    MapCase,
    build,
    check,
    draw,
    expected,
    operators,
    run,
)
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_equal_to_oracle
from tests.reference.test_relu_max_pool_lrn import special_values

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
NATIVE = operators("")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(
    case: MapCase, lrn_first: bool, form: torch.memory_format, dtype: torch.dtype, isa: str
) -> None:
    x, grad, options = build(case, dtype, form, lrn_first)
    check(run(NATIVE, x, grad, options), x, grad, options)


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("lrn_size", [0, 3])
def test_ties_nan_and_infinities(
    lrn_size: int, relu: bool, form: torch.memory_format, isa: str
) -> None:
    x = special_values().contiguous(memory_format=form)
    for lrn_first in (False, True):
        options = MapCase("", (4, 6, 9, 9), relu=relu, lrn_size=lrn_size).options(lrn_first)
        grad = draw((4, 6, 4, 4), torch.float32, form, 1)
        actual = run(NATIVE, x, grad, options)
        loop = expected(x, grad, actual[2], options)
        numbers = range(3) if lrn_first else range(4)
        for number in numbers if lrn_size == 0 else range(1):
            torch.testing.assert_close(actual[number], loop[number], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fresh_memory_is_written_and_inputs_are_not(
    case: MapCase, lrn_first: bool, form: torch.memory_format, dtype: torch.dtype, isa: str
) -> None:
    x, grad, options = build(case, dtype, form, lrn_first)
    clean = run(NATIVE, x, grad, options)
    guards = Guards()

    def surround(map: Tensor) -> Tensor:
        if form == torch.contiguous_format:
            return guards.surround(map)
        return guards.surround(map.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    with poisoned_memory():
        actual = run(NATIVE, surround(x), surround(grad), options)
    guards.check()
    for name, ours, theirs in zip(NAMES, actual, clean, strict=True):
        assert_bitwise_equal(ours, theirs, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("size", [(1, 96, 27, 27), (5, 40, 13, 26), (2, 3, 200, 120)], ids=str)
def test_any_number_of_threads(
    size: tuple[int, int, int, int],
    lrn_first: bool,
    form: torch.memory_format,
    dtype: torch.dtype,
    isa: str,
) -> None:
    """The same bits with 1, 2, 3 and 7 threads, which cut the frames into other bands."""
    x, grad, options = build(MapCase("threads", size), dtype, form, lrn_first)
    alone = run(NATIVE, x, grad, options)
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        for name, ours, first in zip(NAMES, run(NATIVE, x, grad, options), alone, strict=True):
            assert_bitwise_equal(ours, first, f"{threads} threads, {name}")


@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_frames_do_not_depend_on_each_other(form: torch.memory_format, lrn_first: bool) -> None:
    x, grad, options = build(MapCase("frames", (4, 8, 9, 9)), torch.float32, form, lrn_first)
    clean = run(NATIVE, x, grad, options)
    x[1] = grad[1] = float("nan")
    others = [0, 2, 3]
    for name, ours, theirs in zip(NAMES, run(NATIVE, x, grad, options), clean, strict=True):
        if ours.dim() == 4:
            assert_bitwise_equal(ours[others], theirs[others], name)


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
def test_gaps_in_memory_change_nothing(lrn_first: bool, form: torch.memory_format) -> None:
    """Slices of larger maps, a gradient in the other format, and an expanded one."""
    x, grad, options = build(MapCase("gaps", (3, 8, 9, 10)), torch.float32, form, lrn_first)
    clean = run(NATIVE, x, grad, options)
    padded = torch.full((4, 8, 12, 13), float("nan")).contiguous(memory_format=form)
    view = padded[1:, :, 2:11, 1:11].copy_(x)
    other = FORMATS[1 - FORMATS.index(form)]
    for name, ours, theirs in zip(
        NAMES, run(NATIVE, view, grad.contiguous(memory_format=other), options), clean, strict=True
    ):
        assert ours.stride() == theirs.stride(), name
        assert_bitwise_equal(ours, theirs, name)
    even = torch.tensor(0.5).expand(grad.shape)
    assert_bitwise_equal(
        run(NATIVE, x, even, options)[3], run(NATIVE, x, even.clone(), options)[3], "expanded"
    )


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("name", ["caffenet", "gaps", "no_relu", "no_pool", "any_beta"])
def test_gradcheck(name: str, lrn_first: bool, form: torch.memory_format) -> None:
    case = next(row for row in CASES if row.name == name)
    small = MapCase(**{**vars(case), "size": (1, 4, 6, 7)})
    x, _, options = build(small, torch.float64, form, lrn_first)
    assert torch.autograd.gradcheck(
        lambda x: OPS.relu_max_pool_lrn_forward(x, *options, True)[0], (x.requires_grad_(),)
    )


def test_gradcheck_through_the_pooled_values() -> None:
    x, _, options = build(MapCase("pooled", (1, 4, 6, 7)), torch.float64, torch.contiguous_format)
    assert torch.autograd.gradcheck(
        lambda x: OPS.relu_max_pool_lrn_forward(x, *options, True)[:2], (x.requires_grad_(),)
    )


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_reference_operators_do_the_same(form: torch.memory_format) -> None:
    """The `_reference` operators are the definition, under the dispatcher, with a gradient."""
    for case in CASES:
        x, grad, options = build(case, torch.float64, form)
        found = []
        for suffix in ("", "_reference"):
            leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
            forward = getattr(OPS, f"relu_max_pool_lrn_forward{suffix}")
            forward(leaf, *options, True)[0].backward(grad)
            assert leaf.grad is not None
            found.append(leaf.grad)
        assert_equal_to_oracle(*found, f"{case}")
