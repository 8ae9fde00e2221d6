"""Definition of the loss of a vocabulary: product, mean cross-entropy and gradients."""

from torch import Tensor

from lrcn_fast.reference.cross_entropy import cross_entropy
from lrcn_fast.reference.lstm_cell import compute_dtype

__all__ = ["linear_cross_entropy"]


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int = -1,
    needs_hidden: bool = False,
    needs_weight: bool = False,
    needs_bias: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean loss over the rows that count, and its gradients.

    Args:
        hidden: (N, H).
        weight: (V, H).
        bias: (V,), or None for zeros.
        targets: (N,) int64.
        ignore_index: rows with this target do not count.
        needs_hidden: whether to return the gradient at ``hidden``; so for ``weight``, ``bias``.

    Returns:
        The loss, a scalar, float32 for the half types, 0 where no row counts; and the gradients at
        hidden (N, H), weight (V, H) and bias (V,), each of shape (0,) unless asked for.
    """
    compute = compute_dtype(hidden.dtype)
    rows, words = hidden.to(compute), weight.to(compute)
    logits = rows @ words.t()
    if bias is not None:
        logits = logits + bias.to(compute)
    scale = 1 / (targets != ignore_index).sum().clamp(min=1).to(compute)
    needed = needs_hidden or needs_weight or needs_bias
    loss = cross_entropy(logits, targets, scale, ignore_index, needed).sum() * scale
    nothing = hidden.new_empty(0)
    return (
        loss,
        (logits @ words).to(hidden.dtype) if needs_hidden else nothing,
        (logits.t() @ rows).to(hidden.dtype) if needs_weight else nothing.clone(),
        logits.sum(0).to(hidden.dtype) if needs_bias else nothing.clone(),
    )
