"""Sequences of unlike lengths one after another in columns, of which little is padding.

A column is a row of another batch, whose ``cont`` is False where a sequence starts: products that
run over all frames of a batch then run over hardly more than those that exist.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn_fast._arguments import inside_transforms
from lrcn_fast._direction import Run, Weights, recur
from lrcn_fast.backends import Backend

__all__ = ["LEAST_SAVED", "Columns", "choose_columns", "in_columns", "may_fill_columns"]

# Multiplications of the first layer's input product below which copies cost what columns save.
LEAST_SAVED = 1 << 24
# Rows below which a step costs as much as with them.
_TILE_ROWS = 6


@dataclass(frozen=True)
class Columns:
    """Where the n frames of a batch lie among those of T' steps of B' columns.

    Frames that exist on one side alone are exchanged with a row behind the last one of the other.
    """

    steps: int  # T'
    lengths: Tensor  # (B',)
    cont: Tensor  # (T', B')
    target: Tensor  # (n,) the frame of the columns
    source: Tensor  # (T' * B',) the frame of the batch
    first: Tensor  # (B,) the frames of the columns where rows of the batch begin and end
    last: Tensor
    empty: Tensor | None  # (B,) rows without a step, whose first and last mean nothing

    def enter(self, data: Tensor) -> Tensor:
        """Return (T', B', ..) of the frames (n, ..), zero where there is none."""
        columns = _exchange(data, self.target, self.source.shape[0])
        return columns.view(self.steps, -1, *data.shape[1:])

    def leave(self, columns: Tensor) -> Tensor:
        """Return the frames (n, ..) of (T', B', ..), zero where there is none."""
        return _exchange(columns.flatten(0, 1), self.source, self.target.shape[0])

    def final(self, states: Tensor, reverse: bool) -> Tensor:
        """Return the states (B, ..) that a scan ends with, of those of all steps."""
        final = states.flatten(0, 1).index_select(0, self.first if reverse else self.last)
        return final if self.empty is None else final.masked_fill(self.empty.unsqueeze(1), 0)


def _exchange(frames: Tensor, places: Tensor, count: int) -> Tensor:
    # In this form the gradient is a copy too; that of index_select would be a sum.
    return frames.new_zeros((count + 1, *frames.shape[1:])).index_copy(0, places, frames)[:count]


def may_fill_columns(input: Tensor) -> bool:
    """Return whether lengths can be looked at without waiting, and nothing traces or maps."""
    if type(input) is not Tensor or input.device.type != "cpu" or inside_transforms():
        return False
    return not torch.compiler.is_compiling() and torch._C._get_tracing_state() is None


def choose_columns(
    lengths: Tensor,
    outer: tuple[int, int],
    number: Callable[[], Tensor],
    count: int,
    weights: Weights,
    backend: Backend,
    cont: Tensor | None = None,
    copies: int = 1,
) -> Columns | None:
    """Return the columns for a batch, None where padding costs less.

    Args:
        lengths: (B,).
        outer: T and B.
        number: returns (T, B) the number of each frame in the batch.
        count: n, the frames that the batch has.
        weights: of the first layer.
        backend: that runs the call.
        cont: bool (n,).
        copies: what they cost beside the products of the call, 1 in training.
    """
    if backend.name != "native":
        return None
    given = lengths.tolist()
    all_steps, rows = outer

    def pays(size: int, cost: int) -> bool:
        saved = (all_steps * rows - size) * weights.ih.numel()
        return saved >= copies * LEAST_SAVED and 5 * cost <= 4 * all_steps * (rows + 1)

    # What columns without padding would cost at the least.
    total = sum(given)
    if total == 0 or not pays(total, total + max(given)):
        return None
    starts, columns, filled = _best_fill(given)
    steps = max(filled)
    width, size = len(filled), steps * len(filled)
    if not pays(size, _cost(filled)):
        return None
    device = lengths.device
    begin, column = (torch.tensor(x, device=device) for x in (starts, columns))
    time = torch.arange(all_steps, device=device).unsqueeze(1)
    exists = time < lengths
    places = ((begin + time) * width + column)[exists]
    numbers = number()[exists]
    target = torch.full((count,), size, device=device).index_copy(0, numbers, places)
    source = torch.full((size,), count, device=device).index_copy(0, places, numbers)
    first = begin * width + column
    goes_on = torch.ones(count, dtype=torch.bool, device=device) if cont is None else cont
    goes_on = _exchange(goes_on, target, size).index_fill(0, first[lengths > 0], False)
    return Columns(
        steps,
        torch.tensor(filled, device=device),
        goes_on.view(steps, width),
        target,
        source,
        first.clamp(max=size - 1),
        (first + (lengths - 1).clamp(min=0) * width).clamp(max=size - 1),
        lengths == 0 if min(given) == 0 else None,
    )


def _fill(lengths: Sequence[int], count: int) -> tuple[list[int], list[int], list[int]]:
    """Put the longest first, each into the emptiest column.

    Returns:
        For each sequence its first step and its column; for each column the steps it has.
    """
    starts, columns = [0] * len(lengths), [0] * len(lengths)
    filled = [(0, column) for column in range(count)]
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        starts[row], columns[row] = filled[0]
        heapq.heapreplace(filled, (starts[row] + lengths[row], columns[row]))
    return starts, columns, [end for end, _ in sorted(filled, key=lambda column: column[1])]


def _cost(filled: Sequence[int]) -> int:
    # A step costs about as much as a row of it.
    return max(filled) * (len(filled) + 1)


def _best_fill(lengths: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """As :func:`_fill`, with as many columns as are best: fewer are longer and fill up better."""
    most = -(-sum(lengths) // max(lengths))
    counts = {max(most * eighths // 8, min(most, _TILE_ROWS)) for eighths in range(4, 9)}
    fills = [_fill(lengths, count) for count in sorted(counts)]
    return min(fills, key=lambda fill: _cost(fill[2]))


def in_columns(
    columns: Columns,
    data: Tensor,
    layers: Sequence[Weights],
    directions: int,
    backend: Backend,
    needs_grad: bool,
    return_cells: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
    """Run all layers from zero states on the frames (n, I) of a batch.

    Returns:
        Output (n, D*P), h_n (B, P) and c_n (B, H) of each layer and direction, and the last
        layer's cells (n, H) of each direction where they are asked for.
    """
    output = columns.enter(data)
    h_n: list[Tensor] = []
    c_n: list[Tensor] = []
    cells: list[Tensor] = []
    for begin in range(0, len(layers), directions):
        runs = [
            Run(
                backend=backend,
                weights=weights,
                static_gates=None,
                h0=None,
                c0=None,
                cont=columns.cont,
                lengths=columns.lengths,
                reverse=direction == 1,
                batch_first=False,
                needs_grad=needs_grad,
                save_cells=True,
            )
            for direction, weights in enumerate(layers[begin : begin + directions])
        ]
        results = recur(runs, [run.project(output) for run in runs])
        outputs, cells = [states for states, *_ in results], [result[3] for result in results]
        h_n += [columns.final(states, run.reverse) for run, states in zip(runs, outputs)]
        c_n += [columns.final(states, run.reverse) for run, states in zip(runs, cells)]
        output = outputs[0] if directions == 1 else torch.cat(outputs, 2)
    kept = cells if return_cells else []
    return columns.leave(output), h_n, c_n, [columns.leave(states) for states in kept]
