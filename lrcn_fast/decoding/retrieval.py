"""Retrieval by :func:`lrcn_fast.decoding.score`; :mod:`lrcn_fast.metrics` has the ranks."""

import math

from torch import Tensor

from lrcn_fast._arguments import describe

__all__ = ["normalised"]


def normalised(scores: Tensor) -> Tensor:
    """Log-probability of each caption less the logarithm of its mean probability (LRCN section 5).

    Both directions of retrieval rank by this: a caption that is likely for any image tells nothing.

    Args:
        scores: (K, B), log p(caption | image) for all images of the set.

    Returns:
        (K, B).

    Raises:
        ValueError: ``scores`` has another form, or no image.
    """
    if not isinstance(scores, Tensor) or scores.dim() != 2 or not scores.is_floating_point():
        raise ValueError(
            f"scores: expected a floating tensor of shape (K, B), got {describe(scores)}"
        )
    if scores.shape[1] == 0:
        raise ValueError(f"scores: expected at least one image, got {describe(scores)}")
    return scores - scores.logsumexp(1, keepdim=True) + math.log(scores.shape[1])
