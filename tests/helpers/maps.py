"""The case rows that every implementation of relu_max_pool_lrn has to get right, and their maps."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast.reference.relu_max_pool_lrn import Options
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch


@dataclass(frozen=True)
class MapCase:
    """One row: the sizes of x and the options. Frozen, so usable as an id."""

    name: str
    size: tuple[int, int, int, int]
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (2, 2)
    relu: bool = True
    ceil_mode: bool = True
    lrn_size: int = 5
    alpha: float = 0.3
    beta: float = 0.75
    k: float = 1.0

    def __str__(self) -> str:
        return self.name

    def options(self, lrn_first: bool) -> Options:
        """The options in either order."""
        stages = (self.relu, *self.kernel, *self.stride, self.ceil_mode)
        return Options(*stages, self.lrn_size, self.alpha, self.beta, self.k, lrn_first)


NONE = (1, 1)
"""Kernel and stride of no pooling."""

CASES = [
    MapCase("caffenet", (2, 20, 11, 11)),
    MapCase("even", (2, 7, 8, 12)),
    MapCase("vectors", (1, 64, 9, 33)),
    MapCase("wide", (2, 3, 5, 77)),
    MapCase("many_channels", (1, 135, 3, 4)),
    MapCase("one_channel", (3, 1, 7, 9)),
    MapCase("one_pixel", (2, 9, 1, 1), kernel=(1, 1), stride=(2, 2)),
    MapCase("everything_one", (1, 1, 1, 1), kernel=NONE, stride=NONE, lrn_size=1),
    MapCase("no_frame", (0, 6, 7, 8)),
    MapCase("window_as_map", (2, 5, 4, 6), kernel=(4, 6), stride=(1, 1)),
    MapCase("window_beyond_map", (1, 5, 2, 2), kernel=(3, 3)),
    MapCase("floor", (2, 6, 8, 9), ceil_mode=False),
    MapCase("gaps", (2, 5, 9, 14), kernel=(2, 1), stride=(3, 4)),
    MapCase("gaps_and_ceil", (1, 4, 5, 11), kernel=(1, 2), stride=(3, 5)),
    MapCase("far_stride", (1, 3, 4, 5), kernel=(2, 2), stride=(9, 1000)),
    MapCase("every_pixel", (2, 6, 7, 10), stride=(1, 1)),
    MapCase("uneven", (2, 6, 9, 13), kernel=(2, 5), stride=(1, 3)),
    MapCase("largest_window", (1, 2, 17, 18), kernel=(15, 17), stride=(2, 1)),
    MapCase("no_relu", (2, 8, 9, 10), relu=False),
    MapCase("no_pool", (2, 9, 5, 21), kernel=NONE, stride=NONE),
    MapCase("no_lrn", (2, 8, 9, 10), lrn_size=0),
    MapCase("pool_alone", (2, 8, 9, 10), lrn_size=0, relu=False),
    MapCase("lrn_alone", (2, 8, 9, 10), kernel=NONE, stride=NONE, relu=False),
    MapCase("relu_alone", (2, 8, 9, 10), kernel=NONE, stride=NONE, lrn_size=0),
    MapCase("nothing", (2, 3, 4, 5), kernel=NONE, stride=NONE, lrn_size=0, relu=False),
    MapCase("lrn_of_one", (2, 8, 9, 10), lrn_size=1),
    MapCase("lrn_of_all", (2, 9, 5, 6), lrn_size=17),
    MapCase("lrn_of_more", (2, 4, 5, 6), lrn_size=101),
    MapCase("any_beta", (2, 8, 9, 10), beta=0.6, k=2.0),
    MapCase("no_bias", (2, 8, 9, 10), relu=False, k=0.0),
    MapCase("caffe_alpha", (2, 8, 9, 10), alpha=1e-4),
]

FORMATS = [torch.contiguous_format, torch.channels_last]


def draw(size: tuple[int, ...], dtype: torch.dtype, form: torch.memory_format, seed: int) -> Tensor:
    """Random values in a memory format."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)
    return torch.empty(size, dtype=dtype, memory_format=form).copy_(values)


def build(
    case: MapCase, dtype: torch.dtype, form: torch.memory_format, lrn_first: bool = False
) -> tuple[Tensor, Tensor, Options]:
    """x (N, C, Y, X), a gradient at the output (N, C, Yp, Xp), and the options."""
    options = case.options(lrn_first)
    seed = sum(map(ord, case.name))
    pooled = options.pooled_size(*case.size[2:])
    grad = draw((*case.size[:2], *pooled), dtype, form, seed + 1)
    return draw(case.size, dtype, form, seed), grad, options


def in_torch(x: Tensor, options: Options) -> Tensor:
    """The three stages as torch has them."""

    def normalize(values: Tensor) -> Tensor:
        if options.lrn_size == 0:
            return values
        lrn = (options.lrn_size, options.alpha, options.beta, options.k)
        return functional.local_response_norm(values, *lrn)

    x = x.relu() if options.relu else x
    x = normalize(x) if options.lrn_first else x
    if options.pools:
        window = (options.kernel_y, options.kernel_x), (options.stride_y, options.stride_x)
        x = functional.max_pool2d(x, *window, ceil_mode=options.ceil_mode)
    return x if options.lrn_first else normalize(x)


def saved_values(x: Tensor, pooled: Tensor, options: Options) -> Tensor:
    """What the backward takes as ``values``."""
    return x if options.starts_from_input else pooled


Pair = tuple[Any, Any]
"""The forward and the backward operator of an implementation."""


def operators(suffix: str) -> Pair:
    """The pair of a backend."""
    names = ("relu_max_pool_lrn_forward", "relu_max_pool_lrn_backward")
    forward, backward = (getattr(torch.ops.lrcn_fast, name + suffix).default for name in names)
    return forward, backward


def run(pair: Pair, x: Tensor, grad: Tensor, options: Options) -> list[Tensor]:
    """Output, pooled values, index and gradient at x."""
    forward, backward = pair
    output, pooled, index = forward(x, *options, True)
    values = saved_values(x, pooled, options)
    return [output, pooled, index, backward(grad, values, index, *x.shape[2:], *options)]


NAMES = ("output", "pooled", "index", "grad_x")
"""What :func:`run` returns."""


def expected(x: Tensor, grad: Tensor, index: Tensor, options: Options) -> list[Tensor]:
    """What the reference makes of it, with the gradient sent where ``index`` says."""
    forward, backward = operators("_reference")
    output, pooled, own = forward(x, *options, True)
    values = saved_values(x, pooled, options)
    return [output, pooled, own, backward(grad, values, index, *x.shape[2:], *options)]


def check(
    actual: list[Tensor], x: Tensor, grad: Tensor, options: Options, where: str = "cpu"
) -> None:
    """Compare the results of :func:`run` with the reference's.

    Args:
        actual: the results.
        x: as given to :func:`run`, like ``grad`` and ``options``.
        where: the device that the reference runs on, in the dtype of ``x`` and in float64.
    """
    index = actual[2].to(where)
    given = x.to(where), grad.to(where)
    loop = expected(*given, index, options)
    exact = expected(*(map.double() for map in given), index, options)
    results = [result.to(where) for result in actual]
    for name, ours, theirs in zip(NAMES, actual, loop, strict=True):
        assert ours.stride() == theirs.stride(), name
    assert_bitwise_equal(results[1], loop[1], "pooled")
    for number in (0, 3):
        assert_no_worse_than_torch(results[number], loop[number], exact[number], NAMES[number])
    if not options.lrn_first:
        assert_bitwise_equal(results[2], loop[2], "index")
    elif x.dtype == torch.float64:
        assert_bitwise_equal(results[2], exact[2], "index")
