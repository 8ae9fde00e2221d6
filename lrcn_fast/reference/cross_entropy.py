"""Definition of the loss of rows of scores, and of its gradient in their place."""

import torch
from torch import Tensor

from lrcn_fast.reference.lstm_cell import compute_dtype

__all__ = ["cross_entropy"]


def cross_entropy(
    logits: Tensor, targets: Tensor, scale: Tensor, ignore_index: int, gradient: bool
) -> Tensor:
    """Loss of each row, -log softmax(logits)[target] (Caffe's SoftmaxWithLoss).

    Args:
        logits: (N, V); with ``gradient`` they are overwritten by the gradient of
            scale * sum(losses).
        targets: (N,) int64.
        scale: a scalar, at least float32.
        ignore_index: rows with this target have loss and gradient zero, whatever they hold.
        gradient: whether ``logits`` become the gradient.

    Returns:
        (N,), float32 for the half types.
    """
    compute = compute_dtype(logits.dtype)
    valid = targets != ignore_index
    column = torch.where(valid, targets, 0).unsqueeze(1)
    log_probs = logits.to(compute).log_softmax(1)
    losses = torch.where(valid, -log_probs.gather(1, column).squeeze(1), 0)
    if gradient:
        slopes = log_probs.exp().scatter_add(1, column, -torch.ones_like(log_probs[:, :1]))
        logits.copy_(torch.where(valid.unsqueeze(1), scale * slopes, 0))
    return losses
