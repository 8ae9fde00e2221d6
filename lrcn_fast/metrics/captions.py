"""All scores of a set of captions, from texts."""

from collections.abc import Sequence

from lrcn_fast.metrics.bleu import bleu
from lrcn_fast.metrics.cider import cider_d
from lrcn_fast.metrics.rouge import rouge_l
from lrcn_fast.metrics.words import scored_words

__all__ = ["caption_scores"]


def caption_scores(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D of a set of images.

    Args:
        candidates: for each image the caption to be judged.
        references: for each image what people wrote.

    Returns:
        The scores by name.

    Raises:
        ValueError: there is no candidate, their number differs from that of the references, or one
            has no reference.
    """
    said = [scored_words(caption) for caption in candidates]
    written = [[scored_words(caption) for caption in captions] for captions in references]
    scores = {f"BLEU-{order}": score for order, score in enumerate(bleu(said, written), start=1)}
    return scores | {"ROUGE-L": rouge_l(said, written), "CIDEr-D": cider_d(said, written)}
