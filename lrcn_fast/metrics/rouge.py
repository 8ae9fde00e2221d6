"""ROUGE-L (Lin, 2004), as COCO's evaluation computes it."""

from collections.abc import Sequence

from lrcn_fast.metrics.words import References, check_pairs

__all__ = ["rouge_l"]

BETA = 1.2


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, in memory for one row of the table."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for column, other in enumerate(second, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


def rouge_l(candidates: Sequence[Sequence[str]], references: References) -> float:
    """Mean over the images of F = (1 + b^2) P R / (R + b^2 P), b = 1.2.

    P and R are the longest common subsequence of candidate and reference as a share of the
    candidate's and of the reference's length, each the largest over the references; F is 0 where
    nothing is common.

    Args:
        candidates: for each image one caption, a list of words.
        references: for each image its captions, lists of words.

    Returns:
        A score from 0 to 1.

    Raises:
        ValueError, TypeError: as in :func:`lrcn_fast.metrics.words.check_pairs`.
    """
    check_pairs(candidates, references)
    total = 0.0
    for candidate, captions in zip(candidates, references):
        common = [_common(candidate, caption) for caption in captions]
        if max(common):
            precision = max(common) / len(candidate)
            recall = max(n / max(1, len(words)) for n, words in zip(common, captions))
            total += (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
    return total / len(candidates)
