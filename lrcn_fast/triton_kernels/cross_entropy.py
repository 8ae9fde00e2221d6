"""``cross_entropy``: the loss of rows of scores, and its gradient in their place."""

import torch
import triton
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.triton_kernels import cross_entropy_kernel
from lrcn_fast.triton_kernels.arguments import DTYPES, check
from lrcn_fast.triton_kernels.launch import on_device

__all__ = ["cross_entropy"]

_LARGEST_BLOCK = 1024


def cross_entropy(
    logits: Tensor, targets: Tensor, scale: Tensor, ignore_index: int, gradient: bool
) -> Tensor:
    """Loss of each row; see ``reference.cross_entropy``.

    Returns:
        (N,), float32.

    Raises:
        ValueError: a shape or device is wrong, or ``logits`` is not contiguous.
        TypeError: a dtype is wrong.
    """
    name = "cross_entropy"
    start = f"lrcn_fast::{name}_triton: argument 'logits' must"
    if logits.dim() != 2 or logits.shape[1] == 0 or not logits.is_contiguous():
        raise ValueError(
            f"{start} be (N, V), contiguous, with at least one word, got {describe(logits)}"
        )
    if logits.dtype not in DTYPES:
        raise TypeError(f"{start} be float32, bfloat16 or float16, got {describe(logits)}")
    rows, words = logits.shape
    check(name, "targets", targets, logits, (rows,), "(N,)", torch.int64)
    check(name, "scale", scale, logits, (), "()", torch.float32)
    losses = logits.new_empty(rows, dtype=torch.float32)
    if rows > 0:
        block = min(triton.next_power_of_2(words), _LARGEST_BLOCK)
        with on_device(logits):
            cross_entropy_kernel.row_losses[(rows,)](
                logits, targets.contiguous(), scale, losses, ignore_index, words, gradient, block
            )
    return losses
