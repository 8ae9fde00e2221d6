"""Rows of several sequences: ours with ``cont``, and what there is to be done with torch.

Whoever cuts the rows is given the places to cut at; cutting and putting together are timed.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .peers import Job
from .pieces import OfPieces, Packed


def cont_of(job: Job) -> Tensor:
    """(T, B), False where a sequence starts."""
    shape = job.case.shape
    cont = torch.ones(shape.steps, shape.batch, dtype=torch.bool)
    for row, start, _ in shape.pieces():
        cont[start, row] = False
    return cont


class WithCont(Job):
    """lrcn_fast with ``cont``."""

    @cached_property
    def cont(self) -> Tensor:
        """(T, B)."""
        return cont_of(self)

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H)."""
        return (self.module(self.input, cont=self.cont)[0],)


class PackedPieces(Packed):
    """All pieces in one PackedSequence."""

    arrange = restore = lambda _, sequences: sequences

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H)."""
        output, _ = self.module(self.pack(super().arrange(self.input)))
        return (self.put(output.data, self.packing.data),)


class PaddedPieces(OfPieces):
    """All pieces as rows of one batch, padded to the longest."""

    @cached_property
    def padding(self) -> tuple[Tensor, Tensor]:
        """Where the steps (L, N) of N pieces come from, and where each step of the batch is."""
        source = pad_sequence(self.places, padding_value=-1)
        where = torch.empty(self.case.shape.steps * self.case.shape.batch, dtype=torch.int64)
        exists = source.flatten() >= 0
        where[source.flatten()[exists]] = exists.nonzero().squeeze(1)
        return source.clamp(min=0), where

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H)."""
        source, where = self.padding
        rows = self.input.flatten(0, 1).index_select(0, source.flatten())
        output, _ = self.module(rows.view(*source.shape, -1))
        found = output.flatten(0, 1).index_select(0, where)
        return (found.view(*self.input.shape[:2], -1),)


class BetweenResets(Job):
    """All rows up to the next reset of any; then states are multiplied by ``cont``."""

    @cached_property
    def keep(self) -> Tensor:
        """(T, 1, B, 1) in the input's dtype: 0 where a sequence starts."""
        return cont_of(self).to(self.input.dtype)[:, None, :, None]

    @cached_property
    def windows(self) -> list[tuple[int, int]]:
        """(first step, end) between which no row starts anew."""
        starts = sorted({start for _, start, _ in self.case.shape.pieces()})
        return list(pairwise([*starts, self.case.shape.steps]))

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H)."""
        outputs, state = [], None
        for start, end in self.windows:
            if state is not None:
                state = tuple(values * self.keep[start] for values in state)
            output, state = self.module(self.input[start:end], state)
            outputs.append(output)
        return (torch.cat(outputs),)


WAYS = {
    "packed pieces": PackedPieces,
    "padded pieces": PaddedPieces,
    "windows between resets": BetweenResets,
}
"""Those of torch that are tried beside pieces one by one."""
