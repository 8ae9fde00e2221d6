"""Definition of ReLU, max-pooling and local response normalisation (LRN) as one operator.

CaffeNet pools before it normalises, AlexNet after it (``lrn_first``). x is (N, C, Y, X), the pooled
map (N, C, Yp, Xp). Half types compute in float32. Every tensor that comes out has the memory format
of the first one that went in.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast.reference.lstm_cell import compute_dtype

BLOCKED = 255
"""Index of a window whose largest value the ReLU has made zero: its gradient goes nowhere."""


class Options(NamedTuple):
    """What all operators of the family take after their tensors.

    A window of 1 x 1 at stride 1 is no pooling, ``lrn_size`` 0 no normalisation.
    """

    relu: bool
    kernel_y: int
    kernel_x: int
    stride_y: int
    stride_x: int
    ceil_mode: bool
    lrn_size: int
    alpha: float
    beta: float
    k: float
    lrn_first: bool

    @property
    def pools(self) -> bool:
        """Whether there is a pooling stage, and so an index."""
        return (self.kernel_y, self.kernel_x, self.stride_y, self.stride_x) != (1, 1, 1, 1)

    @property
    def starts_from_input(self) -> bool:
        """Whether the backward needs x itself: it starts with what precedes any pooling."""
        return not self.pools or (self.lrn_first and self.lrn_size > 0)

    @property
    def keeps_pooled(self) -> bool:
        """Whether the backward needs the pooled values."""
        return self.pools and self.lrn_size > 0 and not self.lrn_first

    def pooled_size(self, height: int, width: int) -> tuple[int, int]:
        """Return Yp and Xp of a map of Y rows and X columns, as torch and Caffe count them."""
        sizes = (height, self.kernel_y, self.stride_y), (width, self.kernel_x, self.stride_x)
        rows, columns = (_windows(*each, self.ceil_mode) for each in sizes)
        return rows, columns


def _windows(size: int, kernel: int, stride: int, ceil_mode: bool) -> int:
    count = (size - kernel + (stride - 1 if ceil_mode else 0)) // stride + 1
    # Only where windows leave gaps can the last one begin outside.
    if ceil_mode and stride > kernel and (count - 1) * stride >= size:
        count -= 1
    return count


def memory_format(x: Tensor) -> torch.memory_format:
    """The format of what is computed from x: channels_last where its channels are neighbours."""
    dense_channels = x.stride(1) == 1 and x.stride(3) != 1
    return torch.channels_last if dense_channels else torch.contiguous_format


def relu_max_pool_lrn(x: Tensor, *fields: Any) -> Tensor:
    """The three stages alone, differentiable as often as one likes; see :class:`Options`."""
    return _laid_out(_stages(x, Options(*fields))[0], x.dtype, memory_format(x))


def relu_max_pool_lrn_forward(x: Tensor, *fields_and_save: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Forward, with what the backward needs.

    Args:
        x: (N, C, Y, X).
        fields_and_save: the fields of :class:`Options`, then whether to keep anything.

    Returns:
        output (N, C, Yp, Xp); if ``save``, the pooled values where LRN follows (N, C, Yp, Xp), else
        (0,); if ``save`` and there is pooling the index (N, C, Yp, Xp) uint8, else (0,): the place
        in its window of each pooled value, row by row, or :data:`BLOCKED`.
    """
    *fields, save = fields_and_save
    options = Options(*fields)
    output, pooled, flat = _stages(x, options)
    kept = x.new_empty(0)
    index = x.new_empty(0, dtype=torch.uint8)
    form = memory_format(x)
    if save and options.keeps_pooled:
        kept = _laid_out(pooled, x.dtype, form)
    if save and flat is not None:
        rows, columns = _origins(options, pooled)
        width = x.shape[3]
        place = (flat // width - rows) * options.kernel_x + flat % width - columns
        if options.relu and not options.starts_from_input:
            place = torch.where(pooled <= 0, BLOCKED, place)
        index = _laid_out(place, torch.uint8, form)
    return _laid_out(output, x.dtype, form), kept, index


def relu_max_pool_lrn_backward(
    grad: Tensor,
    values: Tensor,
    index: Tensor,
    height: int,
    width: int,
    *fields: Any,
) -> Tensor:
    """Gradient at x.

    Args:
        grad: gradient at the output (N, C, Yp, Xp), in any memory format.
        values: x where it is needed (:attr:`Options.starts_from_input`), else the pooled values of
            the forward.
        index: of the forward.
        height: Y of x.
        width: X of x.
        fields: those of :class:`Options`.

    Returns:
        (N, C, Y, X) in the dtype of ``grad``.
    """
    options = Options(*fields)
    compute = compute_dtype(grad.dtype)
    form = memory_format(like_input(values, index, options))
    found = grad.to(compute)
    if options.starts_from_input:
        x = values.to(compute)
        if options.pools:
            found = _unpool(found, index, height, width, options)
        found = _normalize_backward(found, x.relu() if options.relu else x, options)
        if options.relu:
            found = torch.where(x <= 0, 0, found)
    else:
        if options.keeps_pooled:
            found = _normalize_backward(found, values.to(compute), options)
        found = _unpool(found, index, height, width, options)
    return _laid_out(found, grad.dtype, form)


def _laid_out(values: Tensor, dtype: torch.dtype, form: torch.memory_format) -> Tensor:
    return torch.empty_like(values, dtype=dtype, memory_format=form).copy_(values)


def like_input(values: Tensor, index: Tensor, options: Options) -> Tensor:
    """The tensor that has the memory format of x."""
    return values if options.starts_from_input else index


def _stages(x: Tensor, options: Options) -> tuple[Tensor, Tensor, Tensor | None]:
    """The output, the pooled values, and where in the plane of x each comes from."""
    values = x.to(compute_dtype(x.dtype))
    values = values.relu() if options.relu else values
    if options.lrn_first:
        values = _normalize(values, options)
    flat = None
    if options.pools:
        values, flat = functional.max_pool2d(
            values,
            (options.kernel_y, options.kernel_x),
            (options.stride_y, options.stride_x),
            ceil_mode=options.ceil_mode,
            return_indices=True,
        )
    output = values if options.lrn_first else _normalize(values, options)
    return output, values, flat


def _normalize(values: Tensor, options: Options) -> Tensor:
    if options.lrn_size == 0:
        return values
    size = _reach(values, options)
    alpha = options.alpha * (size / options.lrn_size)
    return functional.local_response_norm(values, size, alpha, options.beta, options.k)


def _normalize_backward(grad: Tensor, values: Tensor, options: Options) -> Tensor:
    """With s = k + alpha / n * sum v^2: g s^-b - 2 alpha b / n * v * sum (g v s^(-b-1)).

    Both sums are over the window of n channels; Caffe's LRN layer, Backward_cpu, is the same.
    """
    if options.lrn_size == 0:
        return grad
    ratio = options.alpha / options.lrn_size
    size = _reach(values, options)
    scale = options.k + ratio * _window_sum(values * values, size)
    direct = grad * scale**-options.beta
    spread = _window_sum(direct * values / scale, size)
    return direct - 2 * ratio * options.beta * values * spread


def _reach(values: Tensor, options: Options) -> int:
    """Size of the smallest window that holds the same channels: no more padding than needed."""
    return min(options.lrn_size, 2 * values.shape[1] - 1)


def _window_sum(values: Tensor, size: int) -> Tensor:
    around = size // 2
    return functional.pad(values, (0, 0, 0, 0, around, around)).unfold(1, size, 1).sum(-1)


def _origins(options: Options, pooled: Tensor) -> tuple[Tensor, Tensor]:
    """First row (Yp, 1) and column (Xp,) of the windows."""
    rows = torch.arange(pooled.shape[2], device=pooled.device) * options.stride_y
    columns = torch.arange(pooled.shape[3], device=pooled.device) * options.stride_x
    return rows[:, None], columns


def _unpool(grad: Tensor, index: Tensor, height: int, width: int, options: Options) -> Tensor:
    rows, columns = _origins(options, grad)
    blocked = index == BLOCKED
    place = torch.where(blocked, 0, index.long())
    flat = (rows + place // options.kernel_x) * width + columns + place % options.kernel_x
    sent = torch.where(blocked, 0, grad)
    found = grad.new_zeros((*grad.shape[:2], height * width))
    found = found.scatter_add(2, flat.flatten(2), sent.flatten(2))
    return found.view(*grad.shape[:2], height, width)
