"""CIDEr-D (Vedantam, Zitnick and Parikh, 2015), as COCO's evaluation computes it."""

import math
from collections import Counter
from collections.abc import Sequence

from lrcn_fast.metrics.words import ORDERS, References, check_pairs, ngrams

__all__ = ["cider_d"]

SIGMA = 6.0
SCALE = 10.0
Weights = dict[tuple[str, ...], float]


class _Frequencies:
    """In the references of how many images each n-gram occurs."""

    def __init__(self, references: References, order: int) -> None:
        self.order = order
        self.images: Counter[tuple[str, ...]] = Counter()
        for captions in references:
            self.images.update({gram for words in captions for gram in ngrams(words, order)})
        self.log_images = math.log(len(references))

    def weigh(self, words: Sequence[str]) -> Weights:
        """Count times log(images / images with the n-gram), of each n-gram."""
        return {
            gram: count * (self.log_images - math.log(max(1, self.images[gram])))
            for gram, count in ngrams(words, self.order).items()
        }


def _cosine(candidate: Weights, reference: Weights) -> float:
    """The cosine with the candidate's weights clipped to the reference's."""
    norms = math.sqrt(sum(w * w for w in candidate.values()))
    norms *= math.sqrt(sum(w * w for w in reference.values()))
    if norms == 0:
        return 0.0
    shared = ((w, reference[gram]) for gram, w in candidate.items() if gram in reference)
    return sum(min(mine, theirs) * theirs for mine, theirs in shared) / norms


def cider_d(candidates: Sequence[Sequence[str]], references: References) -> float:
    """CIDEr-D of a corpus, whose references are the corpus that n-grams are weighed by.

    g_n(c) holds count times log(images / images that have the n-gram in a reference) of each n-gram
    of a caption c. The score of an image is the mean over n = 1 to 4 and over its references of
    10 exp(-(l_c - l_r)^2 / (2 6^2)) min(g_n(c), g_n(r)) . g_n(r) / (|g_n(c)| |g_n(r)|), with l the
    number of bigrams. With one image all weights are 0, and the score too.

    Args:
        candidates: for each image one caption, a list of words.
        references: for each image its captions, lists of words.

    Returns:
        The mean over the images, from 0 to 10.

    Raises:
        ValueError, TypeError: as in :func:`lrcn_fast.metrics.words.check_pairs`.
    """
    check_pairs(candidates, references)
    total = 0.0
    for order in range(1, ORDERS + 1):
        frequencies = _Frequencies(references, order)
        for candidate, captions in zip(candidates, references):
            mine = frequencies.weigh(candidate)
            for words in captions:
                apart = max(0, len(candidate) - 1) - max(0, len(words) - 1)
                penalty = math.exp(-(apart**2) / (2 * SIGMA**2))
                total += penalty * _cosine(mine, frequencies.weigh(words)) / len(captions)
    return SCALE * total / ORDERS / len(candidates)
