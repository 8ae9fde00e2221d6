"""``lrcn_fast::linear``: the library product behind every input projection."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast.ops import _library

__all__ = ["has_onednn", "project", "weight_gradient"]


def has_onednn() -> bool:
    """Return whether torch's fused oneDNN product is there and switched on."""
    if not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:
        return False
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


# addmm is MKL's, whose float32 products stay well below the peak of a CPU that is not Intel's, and
# below the memory's speed where they only read a weight once; oneDNN's do neither. Products with
# fewer multiply-adds than this, and a weight that fits in a private cache, are all overhead: there
# addmm has less.
_FEW_MULTIPLICATIONS = 1 << 23
_SMALL_WEIGHT = 1 << 20
# oneDNN adds up to about 2000 terms in one chain, which loses three times the accuracy that MKL
# loses. The sums of an input's gradient, over 4H, are cut into pieces of this length.
_LONGEST_SUM = 1024


def _prefers_onednn(input: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    small = weight.numel() < _SMALL_WEIGHT
    if small and input.numel() * weight.shape[0] < _FEW_MULTIPLICATIONS:
        return False
    if input.device.type != "cpu" or input.numel() == 0 or not has_onednn():
        return False
    if input.dtype == torch.bfloat16:
        # addmm is oneDNN's too, but writes a bias into all of the result before the product.
        return bias is not None and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return input.dtype == torch.float32


def project(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply as torch.nn.functional.linear does, with the library that is fastest for the size.

    Args:
        input: (.., I).
        weight: (O, I).
        bias: (O,).

    Returns:
        (.., O).
    """
    if not torch.compiler.is_compiling() and not _prefers_onednn(input, weight, bias):
        return functional.linear(input, weight, bias)
    product: Tensor = torch.ops.lrcn_fast.linear(input, weight, bias)
    return product


def weight_gradient(grad: Tensor, input: Tensor) -> Tensor:
    """Return the gradient (O, I) at a weight from grad (N, O) and input (N, I), rows dense.

    oneDNN forms it faster where the sums over N are short against the sizes of the result.
    """
    rows = grad.shape[0]
    # A compiled graph with a dynamic number of rows must not be bound to one side of this.
    if isinstance(rows, int) and rows <= 2 * min(grad.shape[1], input.shape[1]):
        return project(grad.t(), input.t())
    return grad.t() @ input


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not _prefers_onednn(input, weight, bias):
        return functional.linear(input, weight, bias)
    multiply = torch.ops.mkldnn._linear_pointwise
    depth = weight.shape[1]
    if input.dtype != torch.float32 or depth <= _LONGEST_SUM or weight.stride(0) != 1:
        whole: Tensor = multiply(input, weight, bias, "none", [], "")
        return whole
    # Only a transposed weight can be cut, and only two dimensions: oneDNN has no fast kernel for
    # other slices.
    pieces = [slice(begin, begin + _LONGEST_SUM) for begin in range(0, depth, _LONGEST_SUM)]
    rows = input.reshape(-1, depth)
    product: Tensor = multiply(rows[:, pieces[0]], weight[:, pieces[0]], bias, "none", [], "")
    for piece in pieces[1:]:
        product = multiply.binary(rows[:, piece], product, weight[:, piece], None, "add")
    return product.view(*input.shape[:-1], weight.shape[0])


def _fake(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return input.new_empty((*input.shape[:-1], weight.shape[0]))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, weight, _ = inputs
    ctx.save_for_backward(input, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    input, weight = ctx.saved_tensors
    needs_input, needs_weight, needs_bias = ctx.needs_input_grad[:3]
    rows = grad.reshape(-1, grad.shape[-1])
    grad_input = project(grad, weight.t()) if needs_input else None
    grad_weight = None
    if needs_weight:
        grad_weight = weight_gradient(rows, input.reshape(-1, input.shape[-1]))
    return grad_input, grad_weight, rows.sum(0) if needs_bias else None


def _vmap(
    info: Any, dims: tuple[int | None, ...], input: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, int]:
    """One product where the weight is shared, else one for each element."""
    input_dim, weight_dim, bias_dim = dims
    if input_dim is not None:
        input = input.movedim(input_dim, 0)
    if weight_dim is None and bias_dim is None:
        return project(input, weight, bias), 0
    if weight_dim is not None:
        weight = weight.movedim(weight_dim, 0)
    rows = input.reshape(*input.shape[: 0 if input_dim is None else 1], -1, input.shape[-1])
    product = rows @ weight.mT
    if bias is not None:
        product = product + (bias if bias_dim is None else bias.movedim(bias_dim, 0).unsqueeze(1))
    inner = input.shape[:-1] if input_dim is None else input.shape[1:-1]
    return product.reshape(info.batch_size, *inner, weight.shape[-2]), 0


_library.define(
    "linear",
    "(Tensor input, Tensor weight, Tensor? bias) -> Tensor",
    fake=_fake,
    setup_context=_setup_context,
    backward=_backward,
    forward_mode=lambda _, *arguments: functional.linear(*arguments),
    vmap=_vmap,
)
_library.implement("linear", _linear)
