"""What a captioner scores on images whose captions are known."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lrcn_fast.decoding import beam_search, normalised, score
from lrcn_fast.metrics.captions import caption_scores
from lrcn_fast.metrics.retrieval import caption_ranks, image_ranks, median_rank, recall
from lrcn_fast.models import Captioner, Vocabulary

__all__ = ["encode_captions", "evaluate_captioner", "retrieval_figures"]

RECALLS = (1, 5, 10)


def encode_captions(captions: Sequence[str], vocabulary: Vocabulary) -> Tensor:
    """Captions as :func:`lrcn_fast.decoding.score` takes them.

    Returns:
        (K, L) int64, padded with -1.

    Raises:
        ValueError: a caption has no word, or there is none.
    """
    rows = [vocabulary.encode(caption) for caption in captions]
    for caption, row in zip(captions, rows, strict=True):
        if not row:
            raise ValueError(f"captions: expected words, got {caption!r}")
    if not rows:
        raise ValueError("captions: expected at least one, got none")
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=-1)


def retrieval_figures(scores: Tensor, images: Tensor) -> dict[str, dict[str, float]]:
    """R@1, R@5, R@10 and the median rank, both ways.

    Args:
        scores: (K, B), log p(caption | image), normalised here as in the LRCN paper.
        images: (K,) int64, the image of each caption.
    """
    values = normalised(scores)
    ranks = {
        "caption_to_image": image_ranks(values, images),
        "image_to_caption": caption_ranks(values, images),
    }
    return {
        name: {f"R@{k}": recall(found, k) for k in RECALLS} | {"median_rank": median_rank(found)}
        for name, found in ranks.items()
    }


def evaluate_captioner(
    captioner: Captioner,
    features: Tensor,
    captions: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    *,
    beam_size: int = 5,
    max_length: int = 50,
) -> dict[str, Any]:
    """Caption images and retrieve them.

    Args:
        captioner: the network.
        features: (B, S), or pixels (B, C, Y, X) where it has an encoder.
        captions: those of each image.
        vocabulary: its words.
        beam_size: of the search.
        max_length: of a sentence.

    Returns:
        The number of images, the scores of the sentences, the figures of retrieval, and the
        sentences; JSON values.
    """
    found = beam_search(captioner, features, beam_size, max_length)
    sentences = [vocabulary.decode(tokens) for tokens in found.tokens[:, 0].cpu()]
    counts = torch.tensor([len(texts) for texts in captions])
    words = encode_captions([text for texts in captions for text in texts], vocabulary)
    scores = score(captioner, features, words.to(captioner.predict.weight.device)).cpu()
    return {
        "images": len(captions),
        "captions": len(words),
        **caption_scores(sentences, captions),
        "retrieval": retrieval_figures(
            scores, torch.arange(len(captions)).repeat_interleave(counts)
        ),
        "sentences": sentences,
    }
