"""What every clip model does with its per-step class scores: the loss and the clip's prediction."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["clip_probabilities", "step_loss"]


def _valid_steps(scores: Tensor, lengths: Tensor | None) -> Tensor | None:
    if scores.dim() != 3 or not scores.is_floating_point():
        raise ValueError(
            "scores: expected a floating tensor (T, B, classes), "
            f"got {tuple(scores.shape)} of {scores.dtype}"
        )
    if lengths is None:
        return None
    steps, batch = scores.shape[:2]
    if tuple(lengths.shape) != (batch,) or lengths.is_floating_point():
        raise ValueError(
            f"lengths: expected an integer tensor ({batch},), "
            f"got {tuple(lengths.shape)} of {lengths.dtype}"
        )
    lengths = lengths.to(scores.device)
    return torch.arange(steps, device=scores.device).unsqueeze(1) < lengths


def step_loss(scores: Tensor, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Cross-entropy of every step on its label, averaged over the valid steps.

    Caffe's SoftmaxWithLoss on scores (T, B, classes), with the clip's label repeated at every step
    (LRCN paper section 4).

    Args:
        scores: (T, B, classes), floating.
        labels: (B,), the clips' classes, or (T, B), the steps'; int64.
        lengths: (B,) integer; steps at or past a row's length do not count. 0 when none counts.

    Returns:
        The mean, a scalar.

    Raises:
        TypeError: ``labels`` is not int64.
        ValueError: shapes do not fit, or a label on the CPU names no class.
    """
    valid = _valid_steps(scores, lengths)
    steps, batch, classes = scores.shape
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels: expected an int64 tensor, got {got}")
    if tuple(labels.shape) not in ((batch,), (steps, batch)):
        raise ValueError(
            f"labels: expected shape ({batch},) or ({steps}, {batch}), got {tuple(labels.shape)}"
        )
    labels = labels.expand(steps, batch)
    if valid is not None:
        # Whatever lies in the padding, a NaN too, must reach neither the loss nor a gradient.
        scores = scores.masked_fill(~valid.unsqueeze(-1), 0.0)
        labels = labels.masked_fill(~valid, 0)
    # On a GPU this check would wait for the device; there the kernel asserts it.
    if labels.device.type == "cpu" and labels.numel():
        lowest, highest = int(labels.min()), int(labels.max())
        if lowest < 0 or highest >= classes:
            raise ValueError(
                f"labels: expected 0 to {classes - 1}, got values from {lowest} to {highest}"
            )
    losses = F.cross_entropy(
        scores.reshape(steps * batch, classes), labels.reshape(-1), reduction="none"
    )
    if valid is None:
        return losses.mean()
    return (losses * valid.reshape(-1)).sum() / valid.sum().clamp(min=1)


def clip_probabilities(scores: Tensor, lengths: Tensor | None = None) -> Tensor:
    """A clip's class probabilities: the mean of the softmax of its valid steps.

    Args:
        scores: (T, B, classes), floating.
        lengths: (B,) integer, or None when every step counts.

    Returns:
        (B, classes), rows summing to 1; all zero for a row of length 0.

    Raises:
        ValueError: shapes or dtypes do not fit.
    """
    valid = _valid_steps(scores, lengths)
    probabilities = scores.softmax(-1)
    if valid is None:
        return probabilities.mean(0)
    probabilities = probabilities.masked_fill(~valid.unsqueeze(-1), 0.0)
    return probabilities.sum(0) / valid.sum(0).clamp(min=1).unsqueeze(-1)
