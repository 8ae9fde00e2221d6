"""relu_max_pool_lrn under the interpreter: every row, order, format and dtype; and refusals."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast import functional
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
    saved_values,
)
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal
from tests.ops.test_relu_max_pool_lrn_errors import BAD_OPTIONS, CASE
from tests.reference.test_relu_max_pool_lrn import special_values

OPS = torch.ops.lrcn_fast
TRITON = operators("_triton")
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(
    case: MapCase, lrn_first: bool, form: torch.memory_format, dtype: torch.dtype
) -> None:
    x, grad, options = build(case, dtype, form, lrn_first)
    with poisoned_memory():
        actual = run(TRITON, x, grad, options)
    check(actual, x, grad, options)


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("lrn_size", [0, 3])
def test_ties_nan_and_infinities(lrn_size: int, relu: bool, form: torch.memory_format) -> None:
    x = special_values().contiguous(memory_format=form)
    for lrn_first in (False, True):
        options = MapCase("", (4, 6, 9, 9), relu=relu, lrn_size=lrn_size).options(lrn_first)
        grad = draw((4, 6, 4, 4), torch.float32, form, 1)
        actual = run(TRITON, x, grad, options)
        loop = expected(x, grad, actual[2], options)
        for number in range(4) if lrn_size == 0 and not lrn_first else range(1):
            torch.testing.assert_close(actual[number], loop[number], equal_nan=True)


@pytest.mark.parametrize("name", ["everything_one", "no_frame", "gaps", "no_pool", "no_lrn"])
@pytest.mark.parametrize("lrn_first", [False, True])
def test_opcheck(name: str, lrn_first: bool) -> None:
    case = next(row for row in CASES if row.name == name)
    x, grad, options = build(case, torch.float32, torch.channels_last, lrn_first)
    _, pooled, index = OPS.relu_max_pool_lrn_forward_triton(x, *options, True)
    values = saved_values(x, pooled, options)
    arguments = (grad, values, index, *x.shape[2:], *options)
    torch.library.opcheck(OPS.relu_max_pool_lrn_backward_triton.default, arguments)
    arguments = (x.clone().requires_grad_(), *options, True)
    torch.library.opcheck(OPS.relu_max_pool_lrn_forward_triton.default, arguments)


def test_gaps_in_memory_change_nothing() -> None:
    x, grad, options = build(MapCase("gaps", (3, 8, 9, 10)), torch.float32, FORMATS[1])
    clean = run(TRITON, x, grad, options)
    padded = torch.full((4, 8, 12, 13), float("nan")).contiguous(memory_format=FORMATS[1])
    view = padded[1:, :, 2:11, 1:11].copy_(x)
    actual = run(TRITON, view, grad.contiguous(), options)
    for name, ours, theirs in zip(NAMES, actual, clean, strict=True):
        assert_bitwise_equal(ours, theirs, name)


@pytest.mark.parametrize("changes, message", BAD_OPTIONS.values(), ids=list(BAD_OPTIONS))
def test_bad_options(changes: dict[str, Any], message: str) -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format)
    _, pooled, index = OPS.relu_max_pool_lrn_forward_triton(x, *options, True)
    bad = options._replace(**changes)
    with pytest.raises(ValueError, match=f"lrn_forward_triton.*{message}"):
        OPS.relu_max_pool_lrn_forward_triton(x, *bad, True)
    with pytest.raises(ValueError, match=f"lrn_backward_triton.*{message}"):
        OPS.relu_max_pool_lrn_backward_triton(grad, pooled, index, 7, 8, *bad)


@pytest.mark.parametrize("name", ["grad", "values", "index"])
@pytest.mark.parametrize("lrn_first", [False, True])
def test_bad_backward(lrn_first: bool, name: str) -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format, lrn_first)
    _, pooled, index = OPS.relu_max_pool_lrn_forward_triton(x, *options, True)
    for change in (lambda map: map[:, :, 1:], lambda map: map.to(torch.int16)):
        given = {"grad": grad, "values": saved_values(x, pooled, options), "index": index}
        given[name] = change(given[name])
        with pytest.raises((ValueError, TypeError), match=f"'{name}' must"):
            OPS.relu_max_pool_lrn_backward_triton(*given.values(), 7, 8, *options)


def test_bad_x() -> None:
    options = CASE.options(False)
    for x in (torch.zeros(3, 7, 8), torch.zeros(2, 0, 7, 8)):
        with pytest.raises(ValueError, match=r"'x' must be \(N, C, Y, X\)"):
            OPS.relu_max_pool_lrn_forward_triton(x, *options, True)
    with pytest.raises(TypeError, match="'x' must be float32, bfloat16 or float16.*float64"):
        OPS.relu_max_pool_lrn_forward_triton(torch.zeros(2, 3, 7, 8).double(), *options, True)


def test_by_the_backend() -> None:
    x = draw((2, 5, 9, 9), torch.float32, torch.channels_last, 1).requires_grad_()
    found = []
    for backend in ("triton", "reference"):
        output: Tensor = functional.relu_max_pool_lrn(x, backend=backend)
        (grad,) = torch.autograd.grad(output.square().sum(), x)
        found += [output, grad]
    torch.testing.assert_close(found[:2], found[2:])
