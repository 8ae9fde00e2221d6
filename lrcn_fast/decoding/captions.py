"""What decoding returns."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Captions"]


@dataclass(frozen=True)
class Captions:
    """Sentences of each image, best first.

    Attributes:
        tokens: (B, n_best, max_length) int64, padded with -1. A sentence that ended by itself has
            word 0 as its last token; one that was cut at ``max_length`` has not.
        lengths: (B, n_best) int64, tokens of each sentence, the 0 at its end counted; 0 where the
            search found fewer than ``n_best`` sentences.
        log_probs: (B, n_best), the sum of the words' log-probabilities; -inf where the length is 0.
        word_log_probs: (B, n_best, max_length), those of each word, 0 where padded; None unless
            asked for.
    """

    tokens: Tensor
    lengths: Tensor
    log_probs: Tensor
    word_log_probs: Tensor | None = None
