"""``lrcn_fast::linear``: the library product behind every input projection."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast.ops import _library
from lrcn_fast.ops._pieces import PIECE_ROWS, pieces, row_cuts

__all__ = ["has_onednn", "multiply", "project", "row_sum", "weight_gradient"]


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


def _prefers_onednn(
    input: Tensor, weight: Tensor, bias: Tensor | None, rows: int | None = None
) -> bool:
    size = input.numel() if rows is None else rows * input.shape[-1]
    if weight.numel() < _SMALL_WEIGHT and size * weight.shape[0] < _FEW_MULTIPLICATIONS:
        return False
    if input.device.type != "cpu" or input.numel() == 0 or not has_onednn():
        return False
    if input.dtype == torch.bfloat16:
        # addmm is oneDNN's too, but writes a bias into all of the result before the product.
        return bias is not None and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return input.dtype == torch.float32


def project(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, ascending: bool = False
) -> Tensor:
    """Multiply as torch.nn.functional.linear does, with the library that is fastest for the size.

    Args:
        input: (.., I).
        weight: (O, I).
        bias: (O,).
        ascending: whether the gradient at the weight adds up rows (T, B, I) from the first step on,
            and not from the last.

    Returns:
        (.., O).
    """
    if torch.compiler.is_compiling() or _prefers_onednn(input, weight, bias) or _in_pieces(input):
        product: Tensor = (
            torch.ops.lrcn_fast.linear(input, weight, bias, True)
            if ascending
            else torch.ops.lrcn_fast.linear(input, weight, bias)
        )
        return product
    return functional.linear(input, weight, bias)


def weight_gradient(
    grad: Tensor,
    input: Tensor,
    cuts: Sequence[int] = (),
    ascending: bool = False,
    total: Tensor | None = None,
) -> Tensor:
    """Return the gradient (O, I) at a weight from grad (N, O) and input (N, I), rows dense.

    oneDNN forms it faster where the sums over N are short against the sizes of the result.

    Args:
        cuts: of the rows, see :mod:`lrcn_fast.ops._pieces`; none for all rows at once.
        ascending: the order of the pieces.
        total: of other rows, to which these are added in place.
    """
    for left, right in zip(pieces(grad, cuts, ascending), pieces(input, cuts, ascending)):
        rows = left.shape[0]
        if total is not None:
            total = total.addmm_(left.t(), right)
        # A compiled graph with a dynamic number of rows must not be bound to one side of this.
        elif isinstance(rows, int) and rows <= 2 * min(left.shape[1], right.shape[1]):
            total = project(left.t(), right.t())
        else:
            total = left.t() @ right
    assert total is not None
    return total


def row_sum(rows: Tensor, cuts: list[int], ascending: bool, total: Tensor | None = None) -> Tensor:
    """Return the sum (..) of rows (N, ..) in the same pieces, added to a total in place."""
    for piece in pieces(rows, cuts, ascending):
        part = piece.sum(0)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total


def multiply(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, rows: int | None = None
) -> Tensor:
    """Return the product of ``project`` without a gradient.

    Args:
        rows: how many there are in all, where the input is a part: it takes the library of all.
    """
    if not _prefers_onednn(input, weight, bias, rows):
        return functional.linear(input, weight, bias)
    onednn = torch.ops.mkldnn._linear_pointwise
    depth = weight.shape[1]
    if input.dtype != torch.float32 or depth <= _LONGEST_SUM or weight.stride(0) != 1:
        whole: Tensor = onednn(input, weight, bias, "none", [], "")
        return whole
    # Only a transposed weight can be cut, and only two dimensions: oneDNN has no fast kernel for
    # other slices.
    pieces = [slice(begin, begin + _LONGEST_SUM) for begin in range(0, depth, _LONGEST_SUM)]
    dense = input.reshape(-1, depth)
    product: Tensor = onednn(dense[:, pieces[0]], weight[:, pieces[0]], bias, "none", [], "")
    for piece in pieces[1:]:
        product = onednn.binary(dense[:, piece], product, weight[:, piece], None, "add")
    return product.view(*input.shape[:-1], weight.shape[0])


def _cuts(sequence: Tensor) -> list[int]:
    """Of the rows of (T, B, ..), (1, T, ..) or (T, ..)."""
    sizes = [size for size in sequence.shape[:-1] if size != 1]
    steps = sizes[0] if sizes else 1
    return row_cuts(steps, math.prod(sizes[1:]), sequence)


def _in_pieces(input: Tensor) -> bool:
    # The first is the shortest test: single steps wait for it.
    return input.numel() > PIECE_ROWS * input.shape[-1] and len(_cuts(input)) > 2


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None, ascending: bool = False) -> Tensor:
    return multiply(input, weight, bias)


def _fake(input: Tensor, weight: Tensor, bias: Tensor | None, ascending: bool = False) -> Tensor:
    return input.new_empty((*input.shape[:-1], weight.shape[0]))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, weight, _, ctx.ascending = inputs
    ctx.save_for_backward(input, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    input, weight = ctx.saved_tensors
    needs_input, needs_weight, needs_bias = ctx.needs_input_grad[:3]
    cuts = _cuts(grad)
    rows = grad.reshape(-1, grad.shape[-1])
    grad_input = project(grad, weight.t()) if needs_input else None
    grad_weight = None
    if needs_weight:
        inputs = input.reshape(-1, input.shape[-1])
        grad_weight = weight_gradient(rows, inputs, cuts, ctx.ascending)
    grad_bias = row_sum(rows, cuts, ctx.ascending) if needs_bias else None
    return grad_input, grad_weight, grad_bias, None


def _vmap(
    info: Any,
    dims: tuple[int | None, ...],
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *_: Any,
) -> tuple[Tensor, int]:
    """One product where the weight is shared, else one for each element."""
    input_dim, weight_dim, bias_dim = dims[:3]
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
    "(Tensor input, Tensor weight, Tensor? bias, bool ascending=False) -> Tensor",
    fake=_fake,
    setup_context=_setup_context,
    backward=_backward,
    forward_mode=lambda _, input, weight, bias, *ascending: functional.linear(input, weight, bias),
    vmap=_vmap,
)
_library.implement("linear", _linear)
