"""The input products of words, computed once for each word that comes up."""

import weakref
from collections.abc import Iterable

import torch
from torch import Tensor

from lrcn_fast.models import Captioner
from lrcn_fast.ops.linear import project

__all__ = ["GateTable", "fingerprint", "gate_table"]

# Words whose rows are computed together. A product of fixed size, so that a row's last bits do not
# depend on which words came before it.
_BLOCK = 64


class GateTable:
    """Embedding times input weight, with the biases: the gates (V, 4H) that each word adds.

    A captioner's words are sorted by frequency, and sentences are made of few: on the CPU rows are
    filled in when a word first comes up, so that neither time nor memory grows with V.
    """

    def __init__(self, embedding: Tensor, weight_ih: Tensor, bias: Tensor | None) -> None:
        """Take an embedding (V, E), the first layer's ``weight_ih`` (4H, E) and bias (4H,)."""
        self._sources = (embedding, weight_ih, bias)
        self._lazy = embedding.device.type == "cpu"
        words = embedding.shape[0]
        if not self._lazy:
            self.gates = project(*self._sources)
            return
        self.gates = embedding.new_empty((words, weight_ih.shape[0]))
        self._filled = torch.zeros(-(-words // _BLOCK), dtype=torch.bool)

    def fill(self, words: Tensor) -> Tensor:
        """Return ``gates`` (V, 4H), in which at least the rows of ``words`` can be read."""
        if not self._lazy:
            return self.gates
        blocks = words.div(_BLOCK, rounding_mode="floor")
        if not bool(self._filled[blocks].all()):
            embedding, weight_ih, bias = self._sources
            for block in blocks[~self._filled[blocks]].unique().tolist():
                rows = slice(block * _BLOCK, (block + 1) * _BLOCK)
                self.gates[rows] = project(embedding[rows], weight_ih, bias)
            self._filled[blocks] = True
        return self.gates


_tables: "weakref.WeakKeyDictionary[Captioner, tuple[object, GateTable]]" = (
    weakref.WeakKeyDictionary()
)


def fingerprint(weights: Iterable[Tensor]) -> object:
    """Differs from an earlier one when a weight was written to or replaced."""
    weights = list(weights)
    if any(weight.is_inference() for weight in weights):
        # Nobody counts the writes to these: no fingerprint is like another.
        return object()
    # A version counts writes in place; the address tells one storage from the next.
    return [(weight.data_ptr(), weight._version, weight.dtype) for weight in weights]


def gate_table(captioner: Captioner) -> GateTable:
    """Return a captioner's table, made anew when one of the weights in it has changed."""
    first = captioner.layers[0]
    sources = (
        captioner.embedding.weight,
        first.weight_ih_l0,
        first.bias_ih_l0,
        first.bias_hh_l0,
    )
    state = fingerprint(sources)
    known = _tables.get(captioner)
    if known is not None and known[0] == state:
        return known[1]
    embedding, weight_ih, bias_ih, bias_hh = (weight.detach() for weight in sources)
    table = GateTable(embedding, weight_ih, bias_ih + bias_hh)
    _tables[captioner] = (state, table)
    return table
