"""Definition of one LSTM step of a search: rows that follow their parents, input from tables."""

import torch
from torch import Tensor

from lrcn_fast.reference.lstm_cell import activate, compute_dtype

__all__ = ["lstm_step"]


def lstm_step(
    h: Tensor,
    c: Tensor,
    parents: Tensor,
    weight_hh: Tensor,
    input: Tensor | None = None,
    weight_ih: Tensor | None = None,
    table: Tensor | None = None,
    words: Tensor | None = None,
    static_gates: Tensor | None = None,
    images: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Step from the state of each row's parent.

    The pre-activations of row n are the sum of ``weight_hh @ h[parents[n]]``,
    ``weight_ih @ input[n]``, ``table[words[n]]`` and ``static_gates[images[n]]``, as far as they
    are given.

    Args:
        h: states (M, H) of the step before.
        c: cell states (M, H) of the step before.
        parents: (N,) int64, the row of ``h`` and ``c`` that each row goes on from; a negative one
            begins with zeros.
        weight_hh: (4H, H), gate order i, f, g, o.
        input: (N, I), with ``weight_ih`` (4H, I).
        weight_ih: see ``input``.
        table: (R, 4H), with ``words`` (N,) int64 within 0..R-1.
        words: see ``table``.
        static_gates: (S, 4H), with ``images`` (N,) int64 within 0..S-1.
        images: see ``static_gates``.

    Returns:
        h (N, H) and c (N, H) after the step.
    """
    dtype, compute = h.dtype, compute_dtype(h.dtype)
    carried = (parents >= 0).unsqueeze(1)
    if h.shape[0] == 0:
        h, c = h.new_zeros(1, h.shape[1]), c.new_zeros(1, c.shape[1])
    rows = parents.clamp(min=0)
    previous_h = torch.where(carried, h[rows].to(compute), 0)
    previous_c = torch.where(carried, c[rows].to(compute), 0)
    gates = previous_h @ weight_hh.to(compute).t()
    if input is not None and weight_ih is not None:
        gates = gates + input.to(compute) @ weight_ih.to(compute).t()
    if table is not None and words is not None:
        gates = gates + table[words].to(compute)
    if static_gates is not None and images is not None:
        gates = gates + static_gates[images].to(compute)
    i, f, g, o = activate(gates)
    new_c = f * previous_c + i * g
    return (o * torch.tanh(new_c)).to(dtype), new_c.to(dtype)
