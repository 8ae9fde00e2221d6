"""Retrieval of images by captions and of captions by images (LRCN paper, section 5.2)."""

import torch
from torch import Tensor

__all__ = ["caption_ranks", "image_ranks", "median_rank", "recall"]


def _check(scores: Tensor, images: Tensor) -> None:
    if scores.dim() != 2 or min(scores.shape) < 1 or not scores.is_floating_point():
        raise ValueError(
            f"scores: expected (captions, images) of a floating dtype, "
            f"got {tuple(scores.shape)} of {scores.dtype}"
        )
    if images.shape != scores.shape[:1] or images.dtype != torch.int64:
        raise ValueError(
            f"images: expected ({scores.shape[0]},) int64, one for each caption, "
            f"got {tuple(images.shape)} of {images.dtype}"
        )
    if bool(((images < 0) | (images >= scores.shape[1])).any()):
        raise ValueError(f"images: expected 0 to {scores.shape[1] - 1}, got others")
    if bool(scores.isnan().any()):
        raise ValueError("scores: expected numbers, got NaN")


def image_ranks(scores: Tensor, images: Tensor) -> Tensor:
    """Image retrieval: how many other images a caption's own comes behind.

    Args:
        scores: (K, B), how well caption k fits image b; larger is better.
        images: (K,) int64, the image that each caption belongs to.

    Returns:
        (K,) int64, 0 where the right image comes first. Images of equal score come before it.

    Raises:
        ValueError: shapes or dtypes differ from these, an image is out of range, or a score is NaN.
    """
    _check(scores, images)
    own = scores.gather(1, images[:, None])
    return (scores >= own).sum(1) - 1


def caption_ranks(scores: Tensor, images: Tensor) -> Tensor:
    """Caption retrieval: how many wrong captions an image's best own one comes behind.

    Args:
        scores: (K, B), how well caption k fits image b; larger is better.
        images: (K,) int64, the image that each caption belongs to; each has some, usually five.

    Returns:
        (B,) int64, 0 where a right caption comes first. Wrong ones of equal score come before it.

    Raises:
        ValueError: as in :func:`image_ranks`, or an image has no caption.
    """
    _check(scores, images)
    own = images[:, None] == torch.arange(scores.shape[1], device=scores.device)
    without = (~own.any(0)).nonzero().flatten().tolist()
    if without:
        raise ValueError(f"images: expected captions of every image, got none of {without[0]}")
    best = scores.masked_fill(~own, -torch.inf).amax(0)
    return ((scores >= best) & ~own).sum(0)


def recall(ranks: Tensor, k: int) -> float:
    """R@k: the share of queries whose right answer is among the first ``k``.

    Args:
        ranks: (Q,), from :func:`image_ranks` or :func:`caption_ranks`.
        k: how many answers are looked at.
    """
    if k < 1 or ranks.numel() == 0:
        raise ValueError(f"k and ranks: expected at least 1 and a rank, got {k} and {len(ranks)}")
    return float((ranks < k).double().mean())


def median_rank(ranks: Tensor) -> float:
    """Med r: the median place of the right answer, 1 at best; of two in the middle their mean."""
    if ranks.numel() == 0:
        raise ValueError("ranks: expected at least one, got none")
    return float(ranks.double().quantile(0.5)) + 1
