"""``lrcn_fast::linear_cross_entropy``: the vocabulary's product, loss and gradients in one.

The gradients are formed in the forward, when the scores are at hand: their buffer becomes that of
the gradient at the scores, and is gone when the forward returns.
See :mod:`lrcn_fast.reference.linear_cross_entropy`.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library
from lrcn_fast.ops.linear import project

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor hidden, Tensor weight, Tensor? bias, Tensor targets, int ignore_index=-1, "
    "bool needs_hidden=False, bool needs_weight=False, bool needs_bias=False) "
    "-> (Tensor loss, Tensor grad_hidden, Tensor grad_weight, Tensor grad_bias)"
)


def _compute_dtype(hidden: Tensor) -> torch.dtype:
    return torch.float64 if hidden.dtype == torch.float64 else torch.float32


def _fake(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int = -1,
    needs_hidden: bool = False,
    needs_weight: bool = False,
    needs_bias: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        hidden.new_empty((), dtype=_compute_dtype(hidden)),
        hidden.new_empty(hidden.shape if needs_hidden else (0,)),
        hidden.new_empty(weight.shape if needs_weight else (0,)),
        hidden.new_empty(weight.shape[:1] if needs_bias else (0,)),
    )


def _run(
    operator: str,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int = -1,
    needs_hidden: bool = False,
    needs_weight: bool = False,
    needs_bias: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    counted = targets != ignore_index
    rows, kept = hidden, None
    # How many count is known here on the CPU alone; a GPU would be waited for, and multiplies all.
    if hidden.device.type == "cpu" and not bool(counted.all()):
        kept = counted.nonzero().squeeze(1)
        rows, targets = hidden.index_select(0, kept), targets.index_select(0, kept)
    scale = 1 / counted.sum().clamp(min=1).to(_compute_dtype(hidden))
    logits = project(rows, weight, bias)
    needed = needs_hidden or needs_weight or needs_bias
    losses = getattr(torch.ops.lrcn_fast, operator)(logits, targets, scale, ignore_index, needed)
    grad_hidden, grad_weight, grad_bias = (hidden.new_empty(0) for _ in range(3))
    # Not oneDNN's products, which would copy these transposed operands.
    if needs_hidden:
        grad_hidden = logits @ weight
        if kept is not None:
            grad_hidden = torch.zeros_like(hidden).index_copy_(0, kept, grad_hidden)
    if needs_weight:
        grad_weight = logits.t() @ rows
    if needs_bias:
        grad_bias = logits.sum(0)
    return losses.sum() * scale, grad_hidden, grad_weight, grad_bias


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, *gradients = output
    ctx.save_for_backward(*gradients)
    ctx.mark_non_differentiable(*gradients)
    ctx.set_materialize_grads(False)
    ctx.needs = inputs[5:]


def _gradient(ctx: Any, grad_loss: Tensor | None, *grads: Tensor | None) -> tuple[Any, ...]:
    result: list[Tensor | None] = []
    for needed, given, gradient in zip(
        ctx.needs_input_grad[:3], ctx.needs, ctx.saved_tensors, strict=True
    ):
        if needed and not given:
            raise RuntimeError(
                "lrcn_fast::linear_cross_entropy: a gradient is asked for that the forward was "
                "called without: set needs_hidden, needs_weight, needs_bias"
            )
        scaled = needed and grad_loss is not None
        result.append(gradient * grad_loss.to(gradient.dtype) if scaled else None)  # type: ignore[union-attr]
    return (*result, *[None] * 5)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "": functools.partial(_run, "cross_entropy"),
    "_triton": functools.partial(_run, "cross_entropy_triton"),
    "_reference": reference.linear_cross_entropy,
}

for _suffix, _function in _FUNCTIONS.items():
    _library.define(
        "linear_cross_entropy" + _suffix,
        _SIGNATURE,
        fake=_fake,
        setup_context=_setup_context,
        backward=_gradient,
    )
    _library.implement("linear_cross_entropy" + _suffix, _function)
