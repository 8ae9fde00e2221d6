"""``lrcn_fast::relu_max_pool_lrn_forward``, ``_backward``: native, ``_triton``, ``_reference``.

See :mod:`lrcn_fast.reference.relu_max_pool_lrn` for the meaning of every argument. Kept for the
backward: where LRN follows the pooling, the pooled values and one index byte each; where it
precedes it, x itself and one index byte for each pooled value; without LRN the index bytes alone;
without pooling x alone. The denominators are computed anew.
"""

from typing import Any

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library
from lrcn_fast.reference.relu_max_pool_lrn import Options, like_input, memory_format

__all__: list[str] = []

_OPTIONS = (
    "bool relu, int kernel_y, int kernel_x, int stride_y, int stride_x, bool ceil_mode, "
    "int lrn_size, float alpha, float beta, float k, bool lrn_first"
)
_FORWARD = f"(Tensor x, {_OPTIONS}, bool save) -> (Tensor output, Tensor pooled, Tensor index)"
_BACKWARD = (
    "(Tensor grad, Tensor values, Tensor index, SymInt height, SymInt width, "
    f"{_OPTIONS}) -> Tensor grad_x"
)


def _fake_forward(x: Tensor, *fields_and_save: Any) -> tuple[Tensor, Tensor, Tensor]:
    *fields, save = fields_and_save
    options = Options(*fields)
    sizes = (*x.shape[:2], *options.pooled_size(x.shape[2], x.shape[3]))
    form = memory_format(x)

    def empty(dtype: torch.dtype, wanted: bool = True) -> Tensor:
        if not wanted:
            return x.new_empty((0,), dtype=dtype)
        return torch.empty(sizes, dtype=dtype, device=x.device, memory_format=form)

    kept = empty(x.dtype, save and options.keeps_pooled)
    return empty(x.dtype), kept, empty(torch.uint8, save and options.pools)


def _fake_backward(
    grad: Tensor, values: Tensor, index: Tensor, height: int, width: int, *fields: Any
) -> Tensor:
    form = memory_format(like_input(values, index, Options(*fields)))
    sizes = (*grad.shape[:2], height, width)
    return torch.empty(sizes, dtype=grad.dtype, device=grad.device, memory_format=form)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, *fields, save = inputs
    _, pooled, index = output
    ctx.options = Options(*fields)
    ctx.size = tuple(x.shape[2:])
    ctx.save_for_backward(x if ctx.options.starts_from_input else pooled, index)
    ctx.set_materialize_grads(False)
    # The pooled values tie the backward to x, so that a second derivative is refused and not zero.
    tied = save and ctx.options.keeps_pooled
    ctx.mark_non_differentiable(*([index] if tied else [pooled, index]))


def _gradient(
    backward: Any,
    ctx: Any,
    grad: Tensor | None,
    grad_pooled: Tensor | None,
    grad_index: Tensor | None,
) -> tuple[Tensor | None, ...]:
    values, index = ctx.saved_tensors
    options = ctx.options
    unsaved = options.keeps_pooled and values.dim() != 4
    if unsaved or (options.pools and index.dim() != 4):
        raise RuntimeError(
            "lrcn_fast::relu_max_pool_lrn_forward: a gradient is asked for, but the forward was "
            "called without save=True"
        )
    grad_x = None if grad is None else backward(grad, values, index, *ctx.size, *options)
    if grad_pooled is not None:
        pooling = options._replace(lrn_size=0)
        through_pooled = backward(grad_pooled, values, index, *ctx.size, *pooling)
        grad_x = through_pooled if grad_x is None else grad_x + through_pooled
    return grad_x, *[None] * (len(options) + 1)


def _triton_forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    from lrcn_fast import triton_kernels

    return triton_kernels.relu_max_pool_lrn_forward(*arguments)


def _triton_backward(*arguments: Any) -> Tensor:
    from lrcn_fast import triton_kernels

    return triton_kernels.relu_max_pool_lrn_backward(*arguments)


_library.define_both(
    "relu_max_pool_lrn",
    _library.Half(
        _FORWARD,
        _fake_forward,
        {"_triton": _triton_forward, "_reference": reference.relu_max_pool_lrn_forward},
    ),
    _library.Half(
        _BACKWARD,
        _fake_backward,
        {"_triton": _triton_backward, "_reference": reference.relu_max_pool_lrn_backward},
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    # As torch has it for its pooling: autocast leaves the dtype as it comes.
    autocast=False,
)
