"""``relu_max_pool_lrn_forward`` and ``_backward``: a launch for the pooling, one for the LRN."""

from typing import Any

import torch
import triton
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.triton_kernels import pool_kernels
from lrcn_fast.triton_kernels.arguments import DTYPES, check
from lrcn_fast.triton_kernels.launch import INTERPRETED, on_device

__all__ = ["relu_max_pool_lrn_backward", "relu_max_pool_lrn_forward"]

# NumPy has a program done sooner than begun.
_BLOCK = 16384 if INTERPRETED else 256
_BLOCKED = 255


def relu_max_pool_lrn_forward(x: Tensor, *fields: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Output, pooled values and index; see ``reference.relu_max_pool_lrn_forward``.

    Args:
        x: (N, C, Y, X), float32, bfloat16 or float16.
        fields: the options and ``save``, in the order of the schema.

    Raises:
        ValueError: a shape or an option is wrong.
        TypeError: a dtype is wrong.
    """
    *options, save = fields
    stages = _Stages("relu_max_pool_lrn_forward", "x", x, tuple(x.shape[2:]), options)
    stages.follow(x)
    source, output = stages.dense(x), stages.pooled_map(x.dtype)
    kept, index = x.new_empty(0), x.new_empty(0, dtype=torch.uint8)
    place = None
    if stages.pools and save:
        place = index = stages.pooled_map(torch.uint8)
    if not stages.pools:
        stages.normalize(source, output, stages.relu)
    elif stages.lrn_first:
        values = stages.map(torch.float32)
        stages.normalize(source, values, stages.relu)
        stages.pool(values, output, place, False)
    elif stages.around < 0:
        stages.pool(source, output, place, stages.relu)
    else:
        pooled = stages.pooled_map(x.dtype)
        stages.pool(source, pooled, place, stages.relu)
        stages.normalize(pooled, output, False)
        kept = pooled if save else kept
    return output, kept, index


def relu_max_pool_lrn_backward(
    grad: Tensor, values: Tensor, index: Tensor, height: int, width: int, *options: Any
) -> Tensor:
    """Gradient at x; see ``reference.relu_max_pool_lrn_backward``.

    Raises:
        ValueError: a shape or an option is wrong.
        TypeError: a dtype is wrong.
    """
    name = "relu_max_pool_lrn_backward"
    stages = _Stages(name, "grad", grad, (height, width), options)
    starts_from_input = stages.lrn_first or not stages.pools
    pooled, letters = stages.pooled_size, "(N, C, Yp, Xp)"
    check(name, "grad", grad, grad, pooled, letters)
    if starts_from_input:
        check(name, "values", values, grad, stages.size, "(N, C, Y, X)")
    elif stages.around >= 0:
        check(name, "values", values, grad, pooled, letters)
    if stages.pools:
        check(name, "index", index, grad, pooled, letters, torch.uint8)
    stages.follow(values if starts_from_input else index)
    sent, found = stages.dense(grad), stages.map(grad.dtype)
    if not stages.pools:
        stages.normalize_backward(sent, stages.dense(values), found, stages.relu)
    elif stages.lrn_first:
        middle = stages.map(torch.float32)
        stages.unpool(sent, stages.dense(index), middle)
        stages.normalize_backward(middle, stages.dense(values), found, stages.relu)
    else:
        if stages.around >= 0:
            middle = stages.pooled_map(torch.float32)
            stages.normalize_backward(sent, stages.dense(values), middle, False)
            sent = middle
        stages.unpool(sent, stages.dense(index), found)
    return found


class _Stages:
    """The checked options of a call, and the launches of its stages on dense maps."""

    def __init__(
        self, name: str, argument: str, first: Tensor, size: tuple[int, ...], options: Any
    ) -> None:
        start = f"lrcn_fast::{name}_triton: argument"
        if first.dim() != 4 or min(*first.shape[1:], *size) < 1:
            raise ValueError(
                f"{start} {argument!r} must be (N, C, Y, X) with C, Y, X >= 1, "
                f"got {describe(first)} and Y, X = {size}"
            )
        if first.dtype not in DTYPES:
            raise TypeError(
                f"{start} {argument!r} must be float32, bfloat16 or float16, got {describe(first)}"
            )
        self.relu, *window, ceil_mode, lrn_size, alpha, self.beta, self.k, lrn_first = options
        for place, number in zip(("kernel_y", "kernel_x", "stride_y", "stride_x"), window):
            if number < 1:
                raise ValueError(f"{start} {place!r} must be at least 1, got {number}")
        self.window = tuple(window)
        kernel, stride = window[:2], window[2:]
        if kernel[0] * kernel[1] > _BLOCKED:
            raise ValueError(
                f"{start}s 'kernel_y' and 'kernel_x' must have a product of at most {_BLOCKED}, "
                f"got {kernel[0]} and {kernel[1]}"
            )
        if lrn_size < 0 or (lrn_size > 0 and lrn_size % 2 == 0):
            raise ValueError(f"{start} 'lrn_size' must be odd, or 0 for none, got {lrn_size}")
        frames, channels = first.shape[:2]
        counts = [_windows(*each, ceil_mode) for each in zip(size, kernel, stride, strict=True)]
        if min(counts) < 1:
            raise ValueError(
                f"{start}s 'kernel_y' and 'kernel_x' must be no larger than Y, X = "
                f"{size}, got {kernel[0]} and {kernel[1]}"
            )
        self.like = first
        self.size = (frames, channels, *size)
        self.pooled_size = (frames, channels, *counts)
        self.pools = self.window != (1, 1, 1, 1)
        self.around = min(lrn_size // 2, channels - 1) if lrn_size else -1
        self.ratio = alpha / lrn_size if lrn_size else 0.0
        self.lrn_first = lrn_first and lrn_size > 0
        self.channels_last = False

    def follow(self, map: Tensor) -> None:
        """Take the memory format of a map, as ``memory_format`` of the reference has it."""
        self.channels_last = map.stride(1) == 1 and map.stride(3) != 1

    @property
    def _format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def dense(self, map: Tensor) -> Tensor:
        """The map, copied where it is not dense in the format."""
        return map.contiguous(memory_format=self._format)

    def map(self, dtype: torch.dtype) -> Tensor:
        """An uninitialised (N, C, Y, X)."""
        return self._empty(self.size, dtype)

    def pooled_map(self, dtype: torch.dtype) -> Tensor:
        """An uninitialised (N, C, Yp, Xp)."""
        return self._empty(self.pooled_size, dtype)

    def _empty(self, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        device = self.like.device
        return torch.empty(size, dtype=dtype, device=device, memory_format=self._format)

    def normalize(self, values: Tensor, result: Tensor, relu: bool) -> None:
        """Result from values of the same size."""
        _launch(pool_kernels.normalize, (values, result), result, *self._lrn(result), relu)

    def normalize_backward(self, grad: Tensor, values: Tensor, result: Tensor, relu: bool) -> None:
        """Gradient at values from that at what :meth:`normalize` has made of them."""
        maps = (grad, values, result)
        _launch(pool_kernels.normalize_backward, maps, result, *self._lrn(result), relu)

    def _lrn(self, map: Tensor) -> tuple[Any, ...]:
        step = 1 if self.channels_last else map.shape[2] * map.shape[3]
        return step, self.ratio, self.k, self.size[1], self.beta, self.around

    def pool(self, values: Tensor, result: Tensor, index: Tensor | None, relu: bool) -> None:
        """Pooled result, and index if wanted, from values."""
        maps, options = (values, result, index), (_BLOCKED, relu, self.channels_last)
        _launch(pool_kernels.pool, maps, result, *self._windows(), *options)

    def unpool(self, grad: Tensor, index: Tensor, result: Tensor) -> None:
        """Gradient at values from that at what :meth:`pool` has made of them."""
        maps = (grad, index, result)
        _launch(pool_kernels.unpool, maps, result, *self._windows(), self.channels_last)

    def _windows(self) -> tuple[int, ...]:
        return *self.size[2:], *self.pooled_size[2:], self.size[1], *self.window


def _launch(kernel: Any, maps: tuple[Tensor | None, ...], result: Tensor, *rest: Any) -> None:
    """Launch over all elements of ``result``."""
    count = result.numel()
    if count > 0:
        with on_device(result):
            kernel[(triton.cdiv(count, _BLOCK),)](*maps, count, *rest, _BLOCK)


def _windows(size: int, kernel: int, stride: int, ceil_mode: bool) -> int:
    count = (size - kernel + (stride - 1 if ceil_mode else 0)) // stride + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= size else count
