"""Beam search over all images at once, by the rule of the original Caffe code."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lrcn_fast.decoding.captions import Captions
from lrcn_fast.decoding.options import Limits, check_captioner, check_count, image_pieces
from lrcn_fast.decoding.search import searching
from lrcn_fast.decoding.step_net import evaluating
from lrcn_fast.models import Captioner
from lrcn_fast.reference.lstm_cell import compute_dtype

__all__ = ["beam_search", "greedy"]


def greedy(
    captioner: Captioner,
    images: Tensor | None = None,
    max_length: int = 50,
    *,
    min_length: int = 0,
    forbidden: Sequence[int] = (),
    word_log_probs: bool = False,
    batch_size: int | None = None,
    backend: str | None = None,
) -> Captions:
    """Take the most probable word at every step: :func:`beam_search` with a single beam."""
    return beam_search(
        captioner,
        images,
        1,
        max_length,
        min_length=min_length,
        forbidden=forbidden,
        word_log_probs=word_log_probs,
        batch_size=batch_size,
        backend=backend,
    )


def beam_search(
    captioner: Captioner,
    images: Tensor | None = None,
    beam_size: int = 5,
    max_length: int = 50,
    *,
    length_penalty: float = 0.0,
    n_best: int = 1,
    min_length: int = 0,
    forbidden: Sequence[int] = (),
    word_log_probs: bool = False,
    batch_size: int | None = None,
    backend: str | None = None,
) -> Captions:
    """Search for the most probable sentences of each image (LRCN section 5; ``captioner.py``).

    Every beam proposes its ``beam_size`` best words. Of these sentences and those that are finished
    already the ``beam_size`` best go on, until all are finished. Of equal ones the child of the
    better beam is taken, then the lower word.

    Needs no ``torch.no_grad`` and no evaluation mode, and does not change the captioner.

    Args:
        captioner: the network.
        images: features (B, S), or pixels (B, C, Y, X) where the captioner has an encoder; None for
            the language model, whose B is 1.
        beam_size: sentences of each image that are pursued.
        max_length: tokens at which a sentence is cut, the 0 at its end counted.
        length_penalty: sentences are ranked by their log-probability divided by their length to
            this power. 0, as in Caffe, ranks by log-probability; above it long sentences gain.
        n_best: sentences to return of each image, at most ``beam_size``.
        min_length: words before a sentence may end.
        forbidden: words that never come up, such as the number of <unk>. The others' probabilities
            stay as they are.
        word_log_probs: also return the log-probability of each word.
        batch_size: images that are searched together; as many as a bounded memory holds when None.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Raises:
        TypeError: ``captioner`` is no Captioner, or a dtype is wrong.
        ValueError: an option is out of range or a shape is wrong.
    """
    check_captioner(captioner)
    check_count("beam_size", beam_size)
    check_count("n_best", n_best)
    if n_best > beam_size:
        raise ValueError(f"n_best: expected at most beam_size = {beam_size}, got {n_best}")
    if not length_penalty >= 0:
        raise ValueError(f"length_penalty: expected a number >= 0, got {length_penalty!r}")
    limits = Limits(captioner, max_length, min_length, forbidden)
    with evaluating(captioner):
        found = []
        for feature, batch in image_pieces(captioner, images, beam_size, batch_size):
            beams = (batch, beam_size, max_length, length_penalty)
            with searching(captioner, feature, beams, limits, backend) as search:
                search.run()
                found.append(search.beams.best(n_best))
        tokens, lengths, log_probs, each = (torch.cat(parts) for parts in zip(*found, strict=True))
        dtype = compute_dtype(captioner.predict.weight.dtype)
        return Captions(
            tokens, lengths, log_probs.to(dtype), each.to(dtype) if word_log_probs else None
        )
