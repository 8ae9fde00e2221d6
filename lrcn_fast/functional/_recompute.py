"""A layer in windows of time, of which the backward computes everything but the borders anew."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lrcn_fast._direction import Results, Run, recur
from lrcn_fast.ops.linear import project

__all__ = ["recur_in_windows"]


def recur_in_windows(runs: Sequence[Run], input: Tensor, every: int) -> list[Results]:
    """Run the directions of a layer on its input and keep only what lies between the windows.

    Args:
        runs: of one layer, forward in time or in both directions.
        input: (T, B, I), or (B, T, I) with their ``batch_first``.
        every: steps of a window, at least one.

    Returns:
        What :func:`recur` returns; cells (0,) where nobody asked for them.
    """
    time = 1 if runs[0].batch_first else 0
    inputs = input.split(every, time)
    windows = runs[0].windows(every, inputs)
    biases = [run.weights.bias for run in runs]
    states: list[tuple[Tensor | None, Tensor | None]] = [(run.h0, run.c0) for run in runs]
    finished: list[list[Results]] = [[] for _ in runs]
    for turn in range(len(inputs)):
        numbers = [len(inputs) - 1 - turn if run.reverse else turn for run in runs]
        if turn > 0:
            states = [
                _leave(run, windows[number + 1][0], (number + 1) * every, *state)
                if run.reverse
                else state
                for run, number, state in zip(runs, numbers, states, strict=True)
            ]
        parts = []
        for run, number, (h0, c0) in zip(runs, numbers, states, strict=True):
            cont, lengths = windows[number]
            parts.append(replace(run, h0=h0, c0=c0, cont=cont, lengths=lengths))
        results = _checkpointed(parts, [inputs[number] for number in numbers], biases)
        states = [(h, c) for _, h, c, _ in results]
        for found, result in zip(finished, results, strict=True):
            found.append(result)
    joined = []
    for run, found in zip(runs, finished, strict=True):
        ordered = found[::-1] if run.reverse else found
        output = torch.cat([result[0] for result in ordered], time)
        _, h_n, c_n, cells = found[-1]
        if run.save_cells:
            cells = torch.cat([result[3] for result in ordered], time)
        joined.append((output, h_n, c_n, cells))
    return joined


def _checkpointed(
    runs: list[Run], inputs: list[Tensor], biases: list[Tensor | None]
) -> list[Results]:
    def compute() -> list[Results]:
        gates = [
            project(x, run.weights.ih, bias)
            for run, x, bias in zip(runs, inputs, biases, strict=True)
        ]
        results = recur(runs, gates)
        # The operators return cells for their backward: whoever holds them keeps them all.
        return [
            (output, h, c, cells if run.save_cells else cells.new_empty(0))
            for run, (output, h, c, cells) in zip(runs, results, strict=True)
        ]

    # Nothing in a window is random.
    found: list[Results] = checkpoint(compute, use_reentrant=False, preserve_rng_state=False)
    return found


def _leave(
    run: Run, cont: Tensor | None, step: int, h: Tensor | None, c: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """The states that a reverse scan takes out of a window whose first step is ``step``."""
    if cont is None or h is None or c is None:
        return h, c
    carried = cont.select(1 if run.batch_first else 0, 0)
    if run.lengths is not None:
        # Rows that have not begun.
        carried = carried | (run.lengths <= step)
    carried = carried.unsqueeze(1)
    zero = h.new_zeros(())
    return torch.where(carried, h, zero), torch.where(carried, c, zero)
