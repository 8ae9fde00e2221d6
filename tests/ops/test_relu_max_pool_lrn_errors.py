"""Bad arguments of the operators: the error names the argument, what came, what was expected."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.maps import MapCase, build, saved_values

OPS = torch.ops.lrcn_fast
CASE = MapCase("errors", (2, 3, 7, 8))

BAD_OPTIONS = {
    "no rows": ({"kernel_y": 0}, "kernel_y.*at least 1, got 0"),
    "no columns": ({"kernel_x": -3}, "kernel_x.*at least 1, got -3"),
    "no stride": ({"stride_y": 0}, "stride_y.*at least 1, got 0"),
    "backward stride": ({"stride_x": -1}, "stride_x.*at least 1, got -1"),
    "many places": ({"kernel_y": 16, "kernel_x": 16}, "product of at most 255, got 16 and 16"),
    "huge window": ({"kernel_y": 2**62, "kernel_x": 4}, "product of at most 255"),
    "wide window": ({"kernel_x": 2**62 + 1, "kernel_y": 4}, "product of at most 255"),
    "even lrn": ({"lrn_size": 4}, "lrn_size.*odd.*got 4"),
    "negative lrn": ({"lrn_size": -5}, "lrn_size.*odd.*got -5"),
    "window beyond x": ({"kernel_y": 9, "stride_y": 1}, "no larger than Y, X = .*, got 9 and 3"),
}


@pytest.mark.parametrize("changes, message", BAD_OPTIONS.values(), ids=list(BAD_OPTIONS))
def test_options(changes: dict[str, Any], message: str) -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format)
    _, pooled, index = OPS.relu_max_pool_lrn_forward(x, *options, True)
    bad = options._replace(**changes)
    with pytest.raises(RuntimeError, match=message):
        OPS.relu_max_pool_lrn_forward(x, *bad, True)
    with pytest.raises(RuntimeError, match=message):
        OPS.relu_max_pool_lrn_backward(grad, pooled, index, 7, 8, *bad)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_largest_stride(ceil_mode: bool) -> None:
    """Sums of sizes and strides do not overflow."""
    x, _, options = build(CASE, torch.float32, torch.contiguous_format)
    options = options._replace(ceil_mode=ceil_mode)
    far, near = (
        OPS.relu_max_pool_lrn_forward(x, *options._replace(stride_y=n, stride_x=n), True)
        for n in (2**63 - 1, 9)
    )
    for got, expected in zip(far, near, strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    "x", [torch.zeros(3, 7, 8), torch.zeros(1, 2, 3, 7, 8), torch.zeros(2, 0, 7, 8)], ids=str
)
def test_x_of_another_shape(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match=r"\(N, C, Y, X\)|C, Y, X >= 1"):
        OPS.relu_max_pool_lrn_forward(x, *CASE.options(False), True)


def test_x_of_integers() -> None:
    x = torch.zeros(2, 3, 7, 8, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="'x' must be float32.*got a int32 tensor"):
        OPS.relu_max_pool_lrn_forward(x, *CASE.options(False), True)


@pytest.mark.parametrize("fault", ["shape", "dtype"])
@pytest.mark.parametrize("name", ["grad", "values", "index"])
@pytest.mark.parametrize("lrn_first", [False, True])
def test_backward(lrn_first: bool, name: str, fault: str) -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format, lrn_first)
    _, pooled, index = OPS.relu_max_pool_lrn_forward(x, *options, True)
    given = {"grad": grad, "values": saved_values(x, pooled, options), "index": index}
    given[name] = given[name][:, :, 1:] if fault == "shape" else given[name].to(torch.int16)
    with pytest.raises(RuntimeError, match=f"'{name}' must"):
        OPS.relu_max_pool_lrn_backward(*given.values(), 7, 8, *options)


def test_backward_of_another_size() -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format)
    _, pooled, index = OPS.relu_max_pool_lrn_forward(x, *options, True)
    with pytest.raises(RuntimeError, match="'grad' must have shape"):
        OPS.relu_max_pool_lrn_backward(grad, pooled, index, 70, 8, *options)
    with pytest.raises(RuntimeError, match="C, Y, X >= 1, got Y, X = 0, 8"):
        OPS.relu_max_pool_lrn_backward(grad, pooled, index, 0, 8, *options)


@pytest.mark.parametrize("suffix", ["", "_reference"])
def test_gradient_without_what_it_needs(suffix: str) -> None:
    x, grad, options = build(CASE, torch.float32, torch.contiguous_format)
    forward = getattr(OPS, f"relu_max_pool_lrn_forward{suffix}")
    output, pooled, index = forward(x.requires_grad_(), *options, False)
    assert not pooled.requires_grad and not index.requires_grad
    with pytest.raises(RuntimeError, match="without save=True"):
        output.backward(grad)


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("loss", [Tensor.sum, Tensor.norm], ids=["sum", "norm"])
@pytest.mark.parametrize("lrn_first", [False, True])
def test_second_derivatives(lrn_first: bool, loss: Callable[[Tensor], Tensor], suffix: str) -> None:
    """Refused also where only the saved values lead to x, as in the gradient of a sum."""
    x, _, options = build(CASE, torch.float64, torch.contiguous_format, lrn_first)
    forward = getattr(OPS, f"relu_max_pool_lrn_forward{suffix}")
    output = forward(x.requires_grad_(), *options, True)[0]
    (first,) = torch.autograd.grad(loss(output), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"second derivatives.*reference\.relu_max_pool_lrn"):
        first.sum().backward()
