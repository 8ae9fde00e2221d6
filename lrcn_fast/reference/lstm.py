"""Definition of the LSTM over a whole sequence: forward, hand-derived backward, layered oracle.

Letters: T steps, B batch, I input size, H hidden size, P = projection size or H, S static size,
L layers, D directions. Gates lie along 4H in torch's order i, f, g, o. The equations are those of
the LRCN paper, section 2, and of Caffe's LSTM layer (``cont`` and ``x_static``), except that a
state is selected away at a sequence start instead of multiplied by zero: a NaN dies there.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from lrcn_fast.reference.lstm_cell import activate, compute_dtype, gate_gradients


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """Mask (T, B, 1) of the steps inside each row's length."""
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths).unsqueeze(-1)


def _valid(lengths: Tensor | None, steps: int) -> Tensor | None:
    """The same, None when every step is valid."""
    return None if lengths is None else valid_steps(lengths, steps)


def _carries(cont: Tensor | None, valid: Tensor | None, reverse: bool) -> Tensor | None:
    """Mask (T, B, 1): does the previous state of the scan enter this step? None: it always does.

    ``cont[t]`` says whether step t continues step t - 1, so the reverse scan, which goes from
    t + 1 to t, asks it of t + 1, and only where t + 1 is a step of the row.
    """
    if cont is None:
        return None
    carries = cont.bool().unsqueeze(-1)
    if not reverse:
        return carries
    if valid is not None:
        carries = carries | ~valid
    return torch.cat([carries[1:], torch.ones_like(carries[:1])])


def _select(mask: Tensor | None, t: int, value: Tensor, other: Tensor | None = None) -> Tensor:
    """``value`` where ``mask[t]`` (everywhere when None), else ``other`` (zero when None)."""
    if mask is None:
        return value
    return torch.where(mask[t], value, torch.zeros_like(value) if other is None else other)


def _time_major(tensor: Tensor | None, batch_first: bool) -> Tensor | None:
    return tensor.transpose(0, 1) if tensor is not None and batch_first else tensor


def _stack(rows: list[Tensor], like: Tensor, width: int, batch_first: bool) -> Tensor:
    """The rows (B, width) of all steps as one contiguous sequence in the dtype of ``like``."""
    if not rows:
        batch = like.shape[0 if batch_first else 1]
        return like.new_empty((batch, 0, width) if batch_first else (0, batch, width))
    return torch.stack(rows, dim=1 if batch_first else 0).to(like.dtype)


def _state(state: Tensor | None, batch: int, width: int, like: Tensor) -> Tensor:
    """A fresh state or gradient (B, width) in the dtype of computation; zeros when None."""
    compute = compute_dtype(like.dtype)
    if state is None:
        return like.new_zeros((batch, width), dtype=compute)
    return state.to(compute, copy=True)


def lstm_forward(
    gates: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None = None,
    static_gates: Tensor | None = None,
    h0: Tensor | None = None,
    c0: Tensor | None = None,
    cont: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    batch_first: bool = False,
    save_cells: bool = False,
    save_activations: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """One layer and direction of an LSTM over a whole sequence.

    Half types compute in float32: h is rounded to the storage dtype at every step, c is not.
    Ordinary differentiable operations throughout.

    Args:
        gates: input products and biases (T, B, 4H), any strides.
        weight_hh: recurrent weights (4H, P).
        weight_hr: projection weights (P, H), or None for no projection.
        static_gates: pre-activations (B, 4H) added at every step.
        h0: initial output state (B, P); zeros when None.
        c0: initial cell state (B, H); zeros when None.
        cont: bool (T, B). Where it is False the step starts a sequence, and the previous state
            is replaced by zeros. With ``reverse`` the state is replaced when the scan leaves the
            sequence that started at t + 1 for step t.
        lengths: int64 (B,), the valid steps of each row, zero allowed.
        reverse: scan from the last valid step of each row to its first.
        batch_first: every (T, B, ..) tensor is laid out (B, T, ..).
        save_cells: return the cell states.
        save_activations: return the activated gates, which the backward needs.

    Returns:
        output (T, B, P), h_n (B, P), c_n (B, H), cells (T, B, H) or (0,), activations
        (T, B, 4H) or (0,), in the dtype of ``gates``. Sequences are zero past a row's length; the
        final state is the one after the last valid step of the scan, the initial one if none is.
    """
    scanned = gates.transpose(0, 1) if batch_first else gates
    steps, batch = scanned.shape[:2]
    hidden, width = weight_hh.shape[0] // 4, weight_hh.shape[1]
    compute = compute_dtype(gates.dtype)
    valid = _valid(lengths, steps)
    carries = _carries(_time_major(cont, batch_first), valid, reverse)
    h, c = _state(h0, batch, width, gates), _state(c0, batch, hidden, gates)
    output, cells, activations = [h] * steps, [c] * steps, [h] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        z = scanned[t].to(compute) + linear(_select(carries, t, h), weight_hh.to(compute))
        if static_gates is not None:
            z = z + static_gates.to(compute)
        i, f, g, o = activate(z)
        c_new = f * _select(carries, t, c) + i * g
        h_new = o * torch.tanh(c_new)
        if weight_hr is not None:
            h_new = linear(h_new, weight_hr.to(compute))
        h_new = h_new.to(gates.dtype).to(compute)
        output[t], cells[t] = _select(valid, t, h_new), _select(valid, t, c_new)
        activations[t] = _select(valid, t, torch.cat([i, f, g, o], dim=-1))
        h, c = _select(valid, t, h_new, h), _select(valid, t, c_new, c)
    none = gates.new_empty(0)
    return (
        _stack(output, gates, width, batch_first),
        h.to(gates.dtype),
        c.to(gates.dtype),
        _stack(cells, gates, hidden, batch_first) if save_cells else none,
        _stack(activations, gates, 4 * hidden, batch_first) if save_activations else none.clone(),
    )


def lstm_backward(
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    grad_cells: Tensor | None,
    activations: Tensor,
    cells: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None = None,
    c0: Tensor | None = None,
    cont: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of :func:`lstm_forward`, derived by hand.

    Args:
        grad_output: gradient at output (T, B, P); zeros when None, as for the next three.
        grad_h_n: gradient at h_n (B, P).
        grad_c_n: gradient at c_n (B, H).
        grad_cells: gradient at cells (T, B, H).
        activations: activated gates (T, B, 4H) saved by the forward.
        cells: cell states (T, B, H) saved by the forward.
        weight_hh, weight_hr, c0, cont, lengths, reverse, batch_first: as given to the forward.

    Returns:
        grad_gates (T, B, 4H), zero past a row's length; grad_h0 (B, P); grad_c0 (B, H);
        grad_hidden: with a projection the total gradient (T, B, P) at every projected h, else (0,).
        The gradient at static_gates is the sum of grad_gates over T; those at the weights are
        products of grad_gates and grad_hidden with the states.
    """
    gate_values, cell_values, d_output, d_cells, starts = (
        _time_major(x, batch_first) for x in (activations, cells, grad_output, grad_cells, cont)
    )
    assert gate_values is not None and cell_values is not None
    steps, batch, hidden = cell_values.shape
    width = weight_hh.shape[1]
    compute = compute_dtype(activations.dtype)
    valid = _valid(lengths, steps)
    carries = _carries(starts, valid, reverse)
    initial = _state(c0, batch, hidden, activations)
    dh = _state(grad_h_n, batch, width, activations)
    dc = _state(grad_c_n, batch, hidden, activations)
    grad_gates, grad_hidden = [dh] * steps, [dh] * steps
    for t in range(steps) if reverse else reversed(range(steps)):
        previous = t + 1 if reverse else t - 1
        c_previous = initial
        if 0 <= previous < steps:
            c_previous = _select(valid, previous, cell_values[previous].to(compute), initial)
        dh_t = dh if d_output is None else dh + d_output[t].to(compute)
        dc_t = dc if d_cells is None else dc + d_cells[t].to(compute)
        grad_hidden[t] = _select(valid, t, dh_t)
        dz, dc_previous = gate_gradients(
            dh_t if weight_hr is None else dh_t @ weight_hr.to(compute),
            dc_t,
            gate_values[t].to(compute),
            cell_values[t].to(compute),
            _select(carries, t, c_previous),
        )
        grad_gates[t] = _select(valid, t, dz)
        dh = _select(valid, t, _select(carries, t, dz @ weight_hh.to(compute)), dh)
        dc = _select(valid, t, _select(carries, t, dc_previous), dc)
    return (
        _stack(grad_gates, activations, 4 * hidden, batch_first),
        dh.to(activations.dtype),
        dc.to(activations.dtype),
        activations.new_empty(0)
        if weight_hr is None
        else _stack(grad_hidden, activations, width, batch_first),
    )


def lstm(
    input: Tensor,
    hx: tuple[Tensor, Tensor] | None,
    params: Sequence[Tensor],
    *,
    num_layers: int = 1,
    bias: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
    proj_size: int = 0,
    cont: Tensor | None = None,
    static: Tensor | None = None,
    lengths: Tensor | None = None,
    return_cells: bool = False,
    dropout_masks: Sequence[Tensor] | None = None,
) -> tuple[Any, ...]:
    """Layers and directions of an LSTM in ordinary torch operations, differentiable twice.

    Args:
        input: (T, B, I), or (B, T, I) with ``batch_first``.
        hx: h_0 (L*D, B, P) and c_0 (L*D, B, H); zeros when None.
        params: per layer and direction w_ih (4H, I), w_hh (4H, P), with ``bias`` b_ih and b_hh
            (4H,), with ``proj_size`` w_hr (P, H), and in the first layer, when ``static`` is
            given, w_is (4H, S).
        cont: (T, B), bool or number: zero where a step starts a new sequence.
        static: (B, S), projected once and added at every step of the first layer.
        lengths: (B,) valid steps of each row; what lies past them has no effect.
        return_cells: return the last layer's cell states too.
        dropout_masks: one factor for the output of every layer but the last.

    Returns:
        output (T, B, D*P), (h_n (L*D, B, P), c_n (L*D, B, H)), and with ``return_cells`` the cell
        states (T, B, D*H).
    """
    directions = 2 if bidirectional else 1
    starts = None if cont is None else cont != 0
    remaining = list(params)
    finals_h: list[Tensor] = []
    finals_c: list[Tensor] = []
    valid = _valid(lengths, input.shape[1 if batch_first else 0])
    layer_input = input
    if valid is not None:
        inside = valid.transpose(0, 1) if batch_first else valid
        layer_input = torch.where(inside, input, torch.zeros_like(input))
    cells: list[Tensor] = []
    for layer in range(num_layers):
        outputs: list[Tensor] = []
        cells = []
        for direction in range(directions):
            w_ih, w_hh = remaining.pop(0), remaining.pop(0)
            gates = linear(layer_input, w_ih)
            if bias:
                gates = gates + (remaining.pop(0) + remaining.pop(0))
            w_hr = remaining.pop(0) if proj_size else None
            state = layer * directions + direction
            output, h_n, c_n, cell, _ = lstm_forward(
                gates,
                w_hh,
                w_hr,
                linear(static, remaining.pop(0)) if static is not None and layer == 0 else None,
                None if hx is None else hx[0][state],
                None if hx is None else hx[1][state],
                starts,
                lengths,
                reverse=direction == 1,
                batch_first=batch_first,
                save_cells=True,
            )
            outputs.append(output)
            cells.append(cell)
            finals_h.append(h_n)
            finals_c.append(c_n)
        layer_input = torch.cat(outputs, dim=-1)
        if dropout_masks is not None and layer < num_layers - 1:
            layer_input = layer_input * dropout_masks[layer]
    result = (layer_input, (torch.stack(finals_h), torch.stack(finals_c)))
    return (*result, torch.cat(cells, dim=-1)) if return_cells else result
