"""``vocabulary_top_k``: the best next words, without the scores of all in memory."""

import torch
import triton
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.triton_kernels import search_kernels
from lrcn_fast.triton_kernels.arguments import DTYPES, check, dense
from lrcn_fast.triton_kernels.launch import Launches, on_device, precision, processors, tiles

__all__ = ["vocabulary_top_k"]

_NAME = "vocabulary_top_k"
_MERGED = 1024


def vocabulary_top_k(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    k: int,
    forbidden: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The k most probable words of each row; see ``reference.vocabulary_top_k``.

    Returns:
        Log-probabilities (N, k), float32, and words (N, k) int64.

    Raises:
        ValueError: a shape or a device is wrong, or ``k`` is.
        TypeError: a dtype is wrong.
    """
    start = f"lrcn_fast::{_NAME}_triton: argument"
    if hidden.dim() != 2 or weight.dim() != 2 or 0 in weight.shape:
        raise ValueError(
            f"{start}s 'hidden' and 'weight' must be (N, H) and (V, H) with a word and a unit, "
            f"got {describe(hidden)} and {describe(weight)}"
        )
    if hidden.dtype not in DTYPES:
        raise TypeError(
            f"{start} 'hidden' must be float32, bfloat16 or float16, got {describe(hidden)}"
        )
    if k < 1:
        raise ValueError(f"{start} 'k' must be at least 1, got {k}")
    (rows, width), size = hidden.shape, weight.shape[0]
    check(_NAME, "weight", weight, hidden, (size, width), "(V, H)")
    check(_NAME, "bias", bias, hidden, (size,), "(V,)")
    check(_NAME, "forbidden", forbidden, hidden, (size,), "(V,)", torch.bool)

    log_probs = hidden.new_empty((rows, k), dtype=torch.float32)
    words = hidden.new_empty((rows, k), dtype=torch.int64)
    if rows == 0:
        return log_probs, words
    mode = precision(hidden.dtype)
    chosen = tiles(rows, size, width, 1, hidden.itemsize, mode, processors(hidden))
    blocks = chosen.grid[1]
    ranks = log_probs.new_empty((rows, blocks, k))
    found = log_probs.new_empty((rows, blocks, k), dtype=torch.int32)
    greatest, sums = log_probs.new_empty((2, rows, blocks))
    marks = None if forbidden is None else forbidden.contiguous().view(torch.uint8)
    with on_device(hidden):
        Launches(search_kernels.block_top_k, chosen, (width, mode))(
            *(dense(tensor) for tensor in (hidden, weight, bias)),
            *(marks, ranks, found, greatest, sums, rows, k, size),
        )
        block = min(triton.next_power_of_2(blocks * k), _MERGED)
        search_kernels.merge_top_k[(rows,)](
            *(ranks, found, greatest, sums, log_probs, words, blocks * k, blocks, k, size, block)
        )
    return log_probs, words
