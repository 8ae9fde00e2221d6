"""``linear_cross_entropy``: the loss of a vocabulary, from what its last product reads."""

import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast._arguments import (
    autocast_dtype,
    check_floating,
    check_like,
    describe,
    refuse_forward_mode,
)
from lrcn_fast.backends import OpSpec, choose

__all__ = ["linear_cross_entropy"]


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int = -1,
    *,
    backend: str | None = None,
) -> Tensor:
    """Mean cross-entropy of ``hidden @ weight.T + bias`` (Caffe's InnerProduct, SoftmaxWithLoss).

    The same as torch.nn.functional.cross_entropy of the product, but for the memory of it: one
    buffer holds the scores and then their gradient, and on the CPU ignored positions are left out
    before the product. The gradients are formed in the forward; there is no second derivative.

    Args:
        hidden: (.., H), floating.
        weight: (V, H).
        bias: (V,), or None.
        targets: (..), int64 or int32, numbers within 0..V-1 or ``ignore_index``. On a GPU, where
            looking at them would wait, any other number makes the loss NaN.
        ignore_index: the target of positions that do not count.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Returns:
        The mean over the positions that count, a scalar, float32 for the half types. Where none
        counts it is 0, and so are all gradients.

    Raises:
        ValueError: a shape, a device or a target is wrong.
        TypeError: a dtype is wrong.
        RuntimeError: the backend asked for cannot run the call.
    """
    check_floating("hidden", hidden)
    check_floating("weight", weight)
    if hidden.dim() < 1:
        raise ValueError(f"hidden: expected shape (.., H), got {describe(hidden)}")
    if weight.dim() != 2 or weight.shape[0] < 1:
        raise ValueError(f"weight: expected shape (V, H) with V >= 1, got {describe(weight)}")
    words, width = weight.shape[0], hidden.shape[-1]
    check_like("weight", weight, (words, width), "(V, H)", hidden)
    if bias is not None:
        check_like("bias", bias, (words,), "(V,)", hidden)
    _check_targets(targets, hidden, words, ignore_index)
    refuse_forward_mode((hidden, weight, bias), "lrcn_fast.reference.linear_cross_entropy")
    device_type = hidden.device.type
    dtype = autocast_dtype(device_type) or hidden.dtype
    chosen = choose(OpSpec(device_type, dtype, "linear_cross_entropy"), backend)
    wanted = torch.is_grad_enabled()
    needs = [wanted and x is not None and x.requires_grad for x in (hidden, weight, bias)]
    operator = getattr(torch.ops.lrcn_fast, "linear_cross_entropy" + chosen.suffix)
    loss: Tensor = operator(
        hidden.reshape(-1, width),
        weight,
        bias,
        targets.reshape(-1).to(torch.int64),
        ignore_index,
        *needs,
    )[0]
    return loss


def _check_targets(targets: object, hidden: Tensor, words: int, ignore_index: int) -> None:
    if not isinstance(targets, Tensor) or targets.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"targets: expected int64 or int32, got {describe(targets)}")
    if targets.shape != hidden.shape[:-1]:
        raise ValueError(
            f"targets: expected shape {tuple(hidden.shape[:-1])} as hidden without its last, "
            f"got {describe(targets)}"
        )
    if targets.device != hidden.device:
        raise ValueError(f"targets: expected a tensor on {hidden.device}, got {describe(targets)}")
    if targets.device.type != "cpu" or torch.compiler.is_compiling() or targets.numel() == 0:
        return
    wrong = ((targets < 0) | (targets >= words)) & (targets != ignore_index)
    if bool(wrong.any()):
        raise ValueError(
            f"targets: expected numbers within 0..{words - 1} or ignore_index = {ignore_index}, "
            f"got {int(targets[wrong][0])}"
        )
