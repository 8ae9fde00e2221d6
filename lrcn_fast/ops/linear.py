"""``lrcn_fast::linear``: the library product behind every input projection."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast.ops import _library

__all__ = ["has_onednn"]


def has_onednn() -> bool:
    """Return whether torch's fused oneDNN product is there and switched on."""
    if not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:
        return False
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


# addmm is MKL's, whose large float32 products stay well below the peak of a CPU that is not Intel's;
# oneDNN's do not. With few rows both are bound by reading the weight: addmm has less overhead.
_FEW_ROWS = 8


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rows = input.numel() // max(input.shape[-1], 1)
    if (
        input.device.type == "cpu"
        and input.dtype == torch.float32
        and rows > _FEW_ROWS
        and weight.numel() > 0
        and has_onednn()
    ):
        product: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")
        return product
    return functional.linear(input, weight, bias)


def _fake(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return input.new_empty((*input.shape[:-1], weight.shape[0]))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, weight, _ = inputs
    ctx.save_for_backward(input, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    input, weight = ctx.saved_tensors
    needs_input, needs_weight, needs_bias = ctx.needs_input_grad
    rows = grad.reshape(-1, grad.shape[-1])
    grad_input = torch.ops.lrcn_fast.linear(grad, weight.t(), None) if needs_input else None
    grad_weight = rows.t() @ input.reshape(-1, input.shape[-1]) if needs_weight else None
    return grad_input, grad_weight, rows.sum(0) if needs_bias else None


_library.define(
    "linear",
    "(Tensor input, Tensor weight, Tensor? bias) -> Tensor",
    fake=_fake,
    setup_context=_setup_context,
    backward=_backward,
)
_library.implement("linear", _linear)
