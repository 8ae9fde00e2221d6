"""Scores of captions and of retrieval, as the LRCN paper and the COCO server report them."""

from lrcn_fast.metrics.bleu import bleu
from lrcn_fast.metrics.captions import caption_scores
from lrcn_fast.metrics.cider import cider_d
from lrcn_fast.metrics.retrieval import caption_ranks, image_ranks, median_rank, recall
from lrcn_fast.metrics.rouge import rouge_l
from lrcn_fast.metrics.words import scored_words

__all__ = [
    "bleu",
    "caption_ranks",
    "caption_scores",
    "cider_d",
    "image_ranks",
    "median_rank",
    "recall",
    "rouge_l",
    "scored_words",
]
