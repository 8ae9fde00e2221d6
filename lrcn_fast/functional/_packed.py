"""``packed_lstm``: an LSTM over the frames of a PackedSequence, without padding them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lrcn_fast._arguments import check_floating, needs_gradient
from lrcn_fast._direction import hidden_size, split_params
from lrcn_fast.functional._columns import choose_columns, in_columns, may_fill_columns
from lrcn_fast.functional.lstm import check_layers, choose_backend, stacked

__all__ = ["packed_lstm"]


def packed_lstm(
    data: Tensor,
    batch_sizes: Tensor,
    params: Sequence[Tensor],
    *,
    num_layers: int,
    bias: bool,
    bidirectional: bool,
    proj_size: int,
    return_cells: bool,
) -> tuple[Any, ...] | None:
    """Run an LSTM from zero states over packed rows, which are sorted by their lengths.

    Args:
        data: (N, I).
        batch_sizes: (T,) int64 on the CPU, how many rows each step has.
        params, num_layers, bias, bidirectional, proj_size, return_cells: as :func:`lstm` takes
            them.

    Returns:
        As :func:`lstm`, sequences as (N, ..); None where it costs less to pad them.
    """
    check_floating("input", data)
    if data.dim() != 2 or not may_fill_columns(data):
        return None
    if batch_sizes.device.type != "cpu" or int(batch_sizes.sum()) != data.shape[0]:
        return None
    directions = 2 if bidirectional else 1
    layers = split_params(params, num_layers, directions, bias, proj_size > 0, False)
    hidden = hidden_size(layers[0].hh, "_l0")
    backend = choose_backend(data, hidden, proj_size, None)
    check_layers(layers, directions, data, hidden, proj_size or hidden)
    batch = int(batch_sizes[0])
    rows = torch.arange(batch, device=batch_sizes.device)
    # A row has as many steps as have more rows than come before it.
    lengths = batch_sizes.shape[0] - torch.searchsorted(batch_sizes.flip(0), rows, right=True)
    columns = choose_columns(
        lengths,
        (batch_sizes.shape[0], batch),
        lambda: (batch_sizes.cumsum(0) - batch_sizes).unsqueeze(1) + rows,
        data.shape[0],
        layers[0],
        backend,
    )
    if columns is None:
        return None
    needs_grad = needs_gradient((data, *params))
    found = in_columns(columns, data, layers, directions, backend, needs_grad, return_cells)
    return stacked(*found, return_cells)
