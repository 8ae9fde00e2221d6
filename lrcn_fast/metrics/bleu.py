"""BLEU of a corpus (Papineni et al., 2002), as COCO's evaluation counts it."""

import math
from collections import Counter
from collections.abc import Sequence

from lrcn_fast.metrics.words import ORDERS, References, check_pairs, ngrams

__all__ = ["bleu"]


def bleu(candidates: Sequence[Sequence[str]], references: References) -> list[float]:
    """BLEU-1 to BLEU-4 of a corpus.

    BLEU-n = min(1, exp(1 - r / c)) (p_1 ... p_n)^(1/n). p_k is the share of the candidates' k-grams
    that a reference has, each k-gram counted at most as often as in the one reference that has it
    most often; k-grams of all images are counted together. c is the length of all candidates, r
    that of the references closest in length, the shorter of two as close.

    Args:
        candidates: for each image one caption, a list of words.
        references: for each image its captions, lists of words.

    Returns:
        Four scores from 0 to 1.

    Raises:
        ValueError, TypeError: as in :func:`lrcn_fast.metrics.words.check_pairs`.
    """
    check_pairs(candidates, references)
    matched, counted = [0] * ORDERS, [0] * ORDERS
    candidate_length = reference_length = 0
    for candidate, captions in zip(candidates, references):
        length = len(candidate)
        candidate_length += length
        reference_length += min(
            (len(caption) for caption in captions), key=lambda other: (abs(other - length), other)
        )
        for order in range(1, ORDERS + 1):
            most: Counter[tuple[str, ...]] = Counter()
            for caption in captions:
                most |= ngrams(caption, order)
            found = ngrams(candidate, order)
            matched[order - 1] += (found & most).total()
            counted[order - 1] += found.total()
    if candidate_length == 0:
        return [0.0] * ORDERS
    brevity = math.exp(min(0.0, 1 - reference_length / candidate_length))
    scores, product = [], 1.0
    for order in range(1, ORDERS + 1):
        product *= matched[order - 1] / max(1, counted[order - 1])
        scores.append(brevity * product ** (1 / order))
    return scores
