"""Sentences of a captioner: the best, samples, how probable given ones are, and retrieval."""

from lrcn_fast.decoding.beam import beam_search, greedy
from lrcn_fast.decoding.captions import Captions
from lrcn_fast.decoding.retrieval import normalised
from lrcn_fast.decoding.sampling import sample
from lrcn_fast.decoding.scoring import score

__all__ = [
    "Captions",
    "beam_search",
    "greedy",
    "normalised",
    "sample",
    "score",
]
