"""Definition of the best next words: vocabulary product, log-softmax and selection in one."""

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast.reference.lstm_cell import compute_dtype

__all__ = ["vocabulary_top_k"]


def vocabulary_top_k(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    k: int,
    forbidden: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The k most probable words of each row, best first; of equal scores the lower number first.

    Args:
        hidden: (N, H).
        weight: (V, H).
        bias: (V,), or None for zeros.
        k: at least 1.
        forbidden: (V,) bool, words that are never returned; they keep their share of probability.

    Returns:
        Log-probabilities (N, k), float32 for the half types, and words (N, k) int64. Where there
        are fewer words than k, -inf and -1.
    """
    compute = compute_dtype(hidden.dtype)
    scores = hidden.to(compute) @ weight.to(compute).t()
    if bias is not None:
        scores = scores + bias.to(compute)
    # A word of probability zero, or with NaN, is a word all the same, and comes before none.
    lowest = torch.finfo(compute).min
    ranks = scores.nan_to_num(nan=lowest, posinf=torch.inf, neginf=lowest)
    if forbidden is not None:
        ranks = ranks.masked_fill(forbidden, -torch.inf)
    # Not topk, which takes any of equal ones.
    found = []
    for _ in range(min(k, scores.shape[1])):
        best = ranks.argmax(1, keepdim=True)
        missing = ranks.gather(1, best) == -torch.inf
        ranks = ranks.scatter(1, best, -torch.inf)
        found.append(best.masked_fill(missing, -1))
    words = torch.cat(found, 1)
    words = functional.pad(words, (0, k - words.shape[1]), value=-1)
    log_probs = scores.gather(1, words.clamp(min=0)) - scores.logsumexp(1, keepdim=True)
    return log_probs.masked_fill(words < 0, -torch.inf), words
