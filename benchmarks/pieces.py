"""How modules are called on rows that are no sequence of T steps: ours, and what torch needs."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from .peers import Job


class WithLengths(Job):
    """lrcn_fast on the padded batch, with the rows' lengths."""

    @cached_property
    def lengths(self) -> Tensor:
        """(B,)."""
        return torch.tensor([end for _, _, end in self.case.shape.pieces()])

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H) and the rows' last states."""
        output, (h_n, c_n) = self.module(self.input, lengths=self.lengths)
        return output, h_n, c_n


class OfPieces(Job):
    """A module that is given each sequence as a piece cut out of the batch."""

    @cached_property
    def places(self) -> list[Tensor]:
        """Of each piece, where its steps are in the batch with time and rows as one dimension."""
        steps, batch = self.case.shape.steps, self.case.shape.batch
        grid = torch.arange(steps * batch).view(steps, batch)
        return [grid[start:end, row].clone() for row, start, end in self.case.shape.pieces()]

    def put(self, values: Tensor, places: Tensor) -> Tensor:
        """A batch (T, B, F) with ``values`` (N, F) at the places (N,), zero elsewhere."""
        steps, batch = self.case.shape.steps, self.case.shape.batch
        empty = values.new_zeros(steps * batch, values.shape[1])
        return empty.index_copy(0, places, values).view(steps, batch, -1)


class OneByOne(OfPieces):
    """One piece after the other."""

    def forward(self) -> tuple[Tensor, ...]:
        """Output (T, B, H), and the last states where a row is one piece."""
        pieces = self.case.shape.pieces()
        outputs, states = zip(
            *(self.module(self.input[start:end, row : row + 1]) for row, start, end in pieces)
        )
        output = self.put(torch.cat(outputs).squeeze(1), torch.cat(self.places))
        if self.case.shape.sequences == "cont":
            return (output,)
        return output, *(torch.cat(state, 1) for state in zip(*states))


class Packed(OfPieces):
    """A PackedSequence of the pieces, packed before any time is taken."""

    @cached_property
    def packing(self) -> PackedSequence:
        """The places, packed."""
        return pack_sequence(self.places, enforce_sorted=False)

    def pack(self, data: Tensor) -> PackedSequence:
        """Values in the order of the places."""
        return PackedSequence(data, *self.packing[1:])

    def arrange(self, sequences: Tensor) -> Tensor:
        """From (T, B, F) to (N, F), N steps that exist."""
        return sequences.flatten(0, 1).index_select(0, self.packing.data)

    def restore(self, arranged: Tensor) -> Tensor:
        """From (N, F) to (T, B, F)."""
        return self.put(arranged, self.packing.data)

    def forward(self) -> tuple[Tensor, ...]:
        """Output (N, H) and the rows' last states."""
        output, (h_n, c_n) = self.module(self.pack(self.input))
        return output.data, h_n, c_n
