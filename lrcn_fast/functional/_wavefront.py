"""Layers of an LSTM as a wavefront: while one runs a window of time, the next runs that before it.

Each launch takes one window of every layer that has one to run. Between launches the library forms
the input products of the next windows. Backwards autograd walks the same launches.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lrcn_fast._arguments import autocast_dtype
from lrcn_fast._direction import Results, Run, recur
from lrcn_fast.backends import window_here
from lrcn_fast.ops.linear import project

__all__ = ["choose_window", "wavefront"]


def choose_window(runs: Sequence[Run], input: Tensor) -> int:
    """Return how many steps the windows of a call have: 0 where layers go one by one.

    A traced graph is for many sizes, and the choice is for one: there layers go one by one.
    """
    run, device = runs[0], input.device
    if device.type != "cuda" or run.backend.name != "native" or torch.compiler.is_compiling():
        return 0
    time = 1 if run.batch_first else 0
    return window_here(
        torch.cuda.current_device() if device.index is None else device.index,
        autocast_dtype("cuda") or input.dtype,
        run.weights.hh.shape[1],
        layers=len(runs),
        batch=input.shape[1 - time],
        steps=input.shape[time],
        training=run.needs_grad,
    )


def wavefront(
    runs: Sequence[Run], input: Tensor, window: int
) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor]:
    """Run the layers of one direction, without projections or anything between them.

    Args:
        runs: of each layer, forward in time.
        input: (T, B, I), or (B, T, I) with their ``batch_first``.
        window: steps of a window, at least one.

    Returns:
        The last layer's output (T, B, H), every layer's h_n and c_n (B, H), and the last layer's
        cells (T, B, H), or those of its last window where nobody asked for them.
    """
    first = runs[0]
    time = 1 if first.batch_first else 0
    # Splitting and joining have gradients of the windows' own size; slices would be padded to T.
    projected = first.project(input).split(window, time)
    count = len(projected)
    windows = first.windows(window, projected)
    biases = [run.weights.bias for run in runs[1:]]
    latest: dict[int, Results] = {}
    finished: list[Results] = []
    for turn in range(count + len(runs) - 1):
        scans, gates = [], []
        for layer in range(max(0, turn - count + 1), min(len(runs), turn + 1)):
            run, number = runs[layer], turn - layer
            h0, c0 = (run.h0, run.c0) if number == 0 else latest[layer][1:3]
            cont, lengths = windows[number]
            scans.append((layer, replace(run, h0=h0, c0=c0, cont=cont, lengths=lengths)))
            if layer == 0:
                gates.append(projected[number])
            else:
                gates.append(project(latest[layer - 1][0], run.weights.ih, biases[layer - 1]))
        results = recur([run for _, run in scans], gates)
        latest.update((layer, result) for (layer, _), result in zip(scans, results, strict=True))
        if turn >= len(runs) - 1:
            finished.append(results[-1])
    _, h_n, c_n, _ = zip(*(latest[layer] for layer in range(len(runs))), strict=True)
    outputs, _, _, cells = zip(*finished, strict=True)
    all_cells = torch.cat(cells, time) if runs[-1].save_cells else cells[-1]
    return torch.cat(outputs, time), list(h_n), list(c_n), all_cells
