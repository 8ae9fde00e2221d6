"""The state of a beam search: which sentences each image has, and which of them go on."""

import torch
from torch import Tensor

from lrcn_fast.decoding.options import Limits
from lrcn_fast.decoding.step_net import StepNet

__all__ = ["Beams"]

# To look whether all are done waits for a GPU.
_STEPS_WITHOUT_LOOKING = 8


class Beams:
    """The sentences (B, K) of B images, each best first; a length of 0 marks those not there."""

    def __init__(
        self, batch: int, beam_size: int, max_length: int, length_penalty: float, like: Tensor
    ) -> None:
        shape, steps = (batch, beam_size), (batch, beam_size, max_length)
        # Sums of rounded terms in double: which of two sentences wins shall not depend on the sum.
        self.log_probs = like.new_full(shape, -torch.inf, dtype=torch.float64)
        self.word_log_probs = like.new_zeros(steps, dtype=torch.float64)
        self.tokens = like.new_full(steps, -1, dtype=torch.int64)
        self.lengths = like.new_zeros(shape, dtype=torch.int64)
        self._exists = torch.zeros_like(self.lengths, dtype=torch.bool)
        self._finished = torch.zeros_like(self._exists)
        self._length_penalty = length_penalty
        # A GPU is not waited for: there rows that are done go along for nothing.
        self._skips_finished = like.device.type == "cpu"
        self._images = torch.arange(batch, device=like.device).unsqueeze(1).expand(shape)
        # Every image begins with one empty sentence.
        self._exists[:, 0] = True
        self.log_probs[:, 0] = 0

    def search(self, net: StepNet, limits: Limits) -> None:
        """Run until all sentences are finished."""
        batch, beam_size, max_length = self.tokens.shape
        state = net.start()
        every = torch.arange(batch * beam_size, device=self.tokens.device)
        parents = torch.full_like(self.lengths, -1)
        for step in range(max_length):
            live = self._exists & ~self._finished
            rows = every
            if self._skips_finished:
                rows = live.flatten().nonzero().squeeze(1)
            looks = self._skips_finished or step % _STEPS_WITHOUT_LOOKING == 0
            if looks and not bool(live.any()):
                break
            last = self.tokens[:, :, step - 1] if step else torch.zeros_like(parents)
            state = net.step(
                state,
                parents.flatten()[rows],
                last.flatten()[rows].clamp(min=0),
                self._images.flatten()[rows],
            )
            values, words = net.top_k(state, beam_size, limits.forbidden(step))
            # The row of each beam's state, which its children go on from.
            row_of = every.view(batch, beam_size)
            if self._skips_finished:
                row_of = torch.full_like(parents, -1)
                row_of.view(-1)[rows] = every[: len(rows)]
                values = values.new_zeros(len(every), beam_size).index_copy_(0, rows, values)
                words = words.new_zeros(len(every), beam_size).index_copy_(0, rows, words)
            parents = row_of.gather(1, self._select(step, live, values.double(), words))

    def _select(self, step: int, live: Tensor, values: Tensor, words: Tensor) -> Tensor:
        """Take the best K of each image's finished sentences and new ones; return their parents.

        Args:
            step: number of the new word.
            live: (B, K), the beams that have children.
            values: (B*K, K) the log-probabilities of each beam's best words.
            words: (B*K, K), -1 where there is none.
        """
        batch, beam_size = self.lengths.shape
        grows = live.flatten().unsqueeze(1)
        exists = grows & (words >= 0)
        # A finished sentence is its own only child.
        exists[:, 0] |= (self._finished & self._exists).flatten()
        new_words = words.masked_fill(~grows, -1)
        new_values = values.masked_fill(~grows, 0)
        totals = self.log_probs.flatten().unsqueeze(1) + new_values
        lengths = self.lengths.flatten().unsqueeze(1) + (new_words >= 0)
        ranks = totals / lengths.clamp(min=1).double() ** self._length_penalty
        # A sentence of probability zero is one all the same, and comes before none.
        ranks = ranks.clamp(min=torch.finfo(ranks.dtype).min).masked_fill(~exists, -torch.inf)
        sorted_ranks = ranks.view(batch, -1).sort(dim=1, descending=True, stable=True)
        order: Tensor = sorted_ranks.indices[:, :beam_size]
        parents = order // beam_size

        def taken(candidates: Tensor) -> Tensor:
            return candidates.view(batch, -1).gather(1, order)

        self._exists = taken(exists)
        self.lengths = taken(lengths).masked_fill(~self._exists, 0)
        self.log_probs = taken(totals).masked_fill(~self._exists, -torch.inf)
        history = parents.unsqueeze(2).expand_as(self.tokens)
        self.tokens = self.tokens.gather(1, history)
        self.word_log_probs = self.word_log_probs.gather(1, history)
        word = taken(new_words)
        self.tokens[:, :, step] = word
        self.word_log_probs[:, :, step] = taken(new_values)
        ended = (word == 0) | (step + 1 == self.tokens.shape[2])
        self._finished = self._finished.gather(1, parents) | ended
        missing = ~self._exists.unsqueeze(2)
        self.tokens.masked_fill_(missing, -1)
        self.word_log_probs.masked_fill_(missing, 0)
        return parents
