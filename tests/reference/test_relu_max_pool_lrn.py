"""The definition of relu_max_pool_lrn against torch's three operations, forward and backward."""

import pytest
import torch
from torch import Tensor

from lrcn_fast.reference import (
    relu_max_pool_lrn,
    relu_max_pool_lrn_backward,
    relu_max_pool_lrn_forward,
)
from lrcn_fast.reference.relu_max_pool_lrn import BLOCKED
from tests.helpers.maps import CASES, FORMATS, MapCase, build, draw, in_torch, saved_values
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle


@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: MapCase, form: torch.memory_format, lrn_first: bool) -> None:
    x, grad, options = build(case, torch.float64, form, lrn_first)
    leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
    expected = in_torch(leaf, options)
    (expected_grad,) = torch.autograd.grad(expected, leaf, grad, allow_unused=True)
    output, pooled, index = relu_max_pool_lrn_forward(x, *options, True)
    assert_equal_to_oracle(output, expected, "output")
    assert_equal_to_oracle(relu_max_pool_lrn(x, *options), expected, "output alone")
    values = saved_values(x, pooled, options)
    found = relu_max_pool_lrn_backward(grad, values, index, *x.shape[2:], *options)
    assert_equal_to_oracle(found, expected_grad, "grad_x", GRADIENT)
    for result in (output, found):
        assert result.is_contiguous(memory_format=form)


@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_kept(case: MapCase, lrn_first: bool) -> None:
    """At most the pooled values and one index byte each, beside the input."""
    x, grad, options = build(case, torch.float64, torch.contiguous_format, lrn_first)
    _, pooled, index = relu_max_pool_lrn_forward(x, *options, True)
    assert index.dtype == torch.uint8
    assert index.shape == (grad.shape if options.pools else (0,))
    normalizes_after = options.pools and options.lrn_size > 0 and not lrn_first
    assert pooled.shape == (grad.shape if normalizes_after else (0,))
    for kept in relu_max_pool_lrn_forward(x, *options, False)[1:]:
        assert kept.shape == (0,)


def special_values() -> Tensor:
    """Ties, zeros of both signs, infinities, NaN of both signs, and several of each in a window."""
    values = torch.tensor(
        [0.0, -0.0, 1.0, 1.0, -1.0, 3e38, float("inf"), -float("inf"), float("nan"), -float("nan")]
    )
    choice = torch.randint(0, len(values), (4, 6, 9, 9), generator=torch.Generator().manual_seed(3))
    choice[0] = choice[0].clamp(max=5)
    choice[1] = 7
    choice[2] = choice[2].clamp(max=7)
    return values[choice]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("lrn_size", [0, 3])
def test_ties_nan_and_infinities(lrn_size: int, relu: bool) -> None:
    case = MapCase("special", (4, 6, 9, 9), relu=relu, lrn_size=lrn_size)
    x = special_values().double().requires_grad_()
    for lrn_first in (False, True):
        options = case.options(lrn_first)
        expected = in_torch(x, options)
        grad = draw(tuple(expected.shape), torch.float64, torch.contiguous_format, 1)
        output, pooled, index = relu_max_pool_lrn_forward(x.detach(), *options, True)
        torch.testing.assert_close(output, expected.detach(), equal_nan=True, rtol=0, atol=0)
        if lrn_size:
            continue
        (expected_grad,) = torch.autograd.grad(expected, x, grad)
        values = saved_values(x.detach(), pooled, options)
        found = relu_max_pool_lrn_backward(grad, values, index, 9, 9, *options)
        torch.testing.assert_close(found, expected_grad, rtol=0, atol=GRADIENT)


def test_index_says_where_the_relu_blocks() -> None:
    x = -torch.ones(1, 1, 3, 3)
    options = MapCase("blocked", (1, 1, 3, 3), lrn_size=0).options(False)
    assert relu_max_pool_lrn_forward(x, *options, True)[2].item() == BLOCKED
    x[0, 0, 2, 1] = 1
    assert relu_max_pool_lrn_forward(x, *options, True)[2].item() == 7


def test_is_twice_differentiable() -> None:
    x, _, options = build(
        MapCase("small", (1, 3, 5, 5)), torch.float64, torch.contiguous_format, False
    )
    assert torch.autograd.gradgradcheck(
        lambda x: relu_max_pool_lrn(x, *options), (x.requires_grad_(),), fast_mode=True
    )
