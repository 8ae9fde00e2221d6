"""The state of a beam search: which sentences each image has, and which of them go on."""

import torch
from torch import Tensor

__all__ = ["Beams"]


class Beams:
    """The sentences (B, K) of B images, each best first; a length of 0 marks those not there.

    Steps write into the same tensors, which never move: a recorded step can be repeated.
    """

    def __init__(
        self, batch: int, beam_size: int, max_length: int, length_penalty: float, like: Tensor
    ) -> None:
        shape, steps = (batch, beam_size), (batch, beam_size, max_length)
        self.beam_size, self.max_length = beam_size, max_length
        # Sums of rounded terms in double: which of two sentences wins shall not depend on the sum.
        self._log_probs = like.new_empty(shape, dtype=torch.float64)
        self._word_log_probs = like.new_empty(steps, dtype=torch.float64)
        self._tokens = like.new_empty(steps, dtype=torch.int64)
        self._lengths = like.new_empty(shape, dtype=torch.int64)
        self._exists = torch.empty_like(self._lengths, dtype=torch.bool)
        self._finished = torch.empty_like(self._exists)
        self._length_penalty = length_penalty
        self.images = torch.arange(batch, device=like.device).unsqueeze(1).expand(shape)
        self._rows = torch.arange(batch * beam_size, device=like.device).view(shape)
        self.step = like.new_empty(1, dtype=torch.int64)
        self.words = torch.empty_like(self._lengths)
        self.parents = torch.empty_like(self._lengths)
        self.begin()

    def begin(self) -> None:
        """Begin every image with one empty sentence, which reads word 0 and has no parent."""
        for zero in (self.step, self.words, self._lengths, self._word_log_probs, self._finished):
            zero.zero_()
        self.parents.fill_(-1)
        self._tokens.fill_(-1)
        self._log_probs.fill_(-torch.inf)[:, 0] = 0
        self._exists.zero_()[:, 0] = True

    @property
    def live(self) -> Tensor:
        """(B, K), the beams that have children."""
        return self._exists & ~self._finished

    def best(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Copies of tokens, lengths, log-probabilities and each word's of the best sentences."""
        results = (self._tokens, self._lengths, self._log_probs, self._word_log_probs)
        tokens, lengths, log_probs, each = (result[:, :count].clone() for result in results)
        return tokens, lengths, log_probs, each

    def select(
        self, live: Tensor, values: Tensor, words: Tensor, row_of: Tensor | None = None
    ) -> None:
        """Take the best K of each image's finished sentences and new ones.

        Args:
            live: (B, K), the beams that have children.
            values: (B*K, K) the log-probabilities of each beam's best words.
            words: (B*K, K), -1 where there is none.
            row_of: (B, K), the row of each beam's state; one after the other when None.
        """
        batch, beam_size = self._lengths.shape
        grows = live.flatten().unsqueeze(1)
        exists = grows & (words >= 0)
        # A finished sentence is its own only child.
        exists[:, 0] |= (self._finished & self._exists).flatten()
        new_words = words.masked_fill(~grows, -1)
        new_values = values.masked_fill(~grows, 0)
        totals = self._log_probs.flatten().unsqueeze(1) + new_values
        lengths = self._lengths.flatten().unsqueeze(1) + (new_words >= 0)
        ranks = totals / lengths.clamp(min=1).double() ** self._length_penalty
        # A sentence of probability zero is one all the same, and comes before none.
        ranks = ranks.clamp(min=torch.finfo(ranks.dtype).min).masked_fill(~exists, -torch.inf)
        sorted_ranks = ranks.view(batch, -1).sort(dim=1, descending=True, stable=True)
        order: Tensor = sorted_ranks.indices[:, :beam_size]
        parents = order // beam_size

        def taken(candidates: Tensor) -> Tensor:
            return candidates.view(batch, -1).gather(1, order)

        self._exists.copy_(taken(exists))
        missing = ~self._exists
        self._lengths.copy_(taken(lengths).masked_fill(missing, 0))
        self._log_probs.copy_(taken(totals).masked_fill(missing, -torch.inf))
        self.words.copy_(taken(new_words))
        ended = (self.words == 0) | (self.step + 1 == self.max_length)
        self._finished.copy_(self._finished.gather(1, parents) | ended)
        history = parents.unsqueeze(2).expand_as(self._tokens)
        for each, new, none in (
            (self._tokens, self.words, -1),
            (self._word_log_probs, taken(new_values), 0),
        ):
            each.copy_(each.gather(1, history).index_copy_(2, self.step, new.unsqueeze(2)))
            each.masked_fill_(missing.unsqueeze(2), none)
        self.parents.copy_((self._rows if row_of is None else row_of).gather(1, parents))
        self.step.add_(1)
