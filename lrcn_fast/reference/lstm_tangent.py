"""Derivatives of the derivatives of an LSTM over a whole sequence, derived by hand.

:func:`lstm_tangent` is the forward mode of ``lstm_forward``. ``lstm_backward`` is its transpose, so
the same scan is the gradient of ``lstm_backward`` at the gradients that it takes.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from lrcn_fast.reference.lstm import _carries, _select, _state, _valid
from lrcn_fast.reference.lstm_cell import compute_dtype, gate_slopes


class Scan(NamedTuple):
    """One layer and direction, sequences (T, B, ..): what its derivatives read."""

    activations: Tensor  # (T, B, 4H)
    cells: Tensor  # (T, B, H)
    previous_cells: Tensor  # (T, B, H), zeros where a sequence starts; anything past the lengths
    weight_hh: Tensor  # (4H, P)
    weight_hr: Tensor | None  # (P, H)
    cont: Tensor | None  # (T, B)
    lengths: Tensor | None  # (B,)
    reverse: bool

    @property
    def order(self) -> list[int]:
        """Steps in the order of the scan."""
        steps = range(self.cells.shape[0])
        return list(reversed(steps)) if self.reverse else list(steps)


class Tangents(NamedTuple):
    """Of ``lstm_forward``'s results, and of the pre-activations; zero past the lengths."""

    output: Tensor  # (T, B, P)
    h_n: Tensor  # (B, P)
    c_n: Tensor  # (B, H)
    cells: Tensor  # (T, B, H)
    gates: Tensor  # (T, B, 4H)


def lstm_tangent(
    scan: Scan, gates: Tensor, hidden: Tensor | None, h0: Tensor | None, c0: Tensor | None
) -> Tangents:
    """Tangents of a scan.

    Args:
        scan: at which they are taken.
        gates: tangents (T, B, 4H) of the pre-activations, without what comes from states.
        hidden: tangents (T, B, P) that are added to those of the output; zeros when None, as the
            next are.
        h0: tangent (B, P) of the initial output state.
        c0: tangent (B, H) of the initial cell state.
    """
    steps, batch, width = scan.cells.shape
    dtype, compute = gates.dtype, compute_dtype(gates.dtype)
    valid = _valid(scan.lengths, steps)
    carries = _carries(scan.cont, valid, scan.reverse)
    activations, tanh_c = scan.activations.to(compute), torch.tanh(scan.cells.to(compute))
    i, f, g, o = activations.chunk(4, dim=-1)
    slopes = gate_slopes(activations)
    into_c = slopes[..., : 3 * width] * torch.cat([g, scan.previous_cells.to(compute), i], dim=-1)
    into_h, c_into_h = slopes[..., 3 * width :] * tanh_c, o * (1 - tanh_c * tanh_c)
    weight_hh = scan.weight_hh.to(compute)
    h = _state(h0, batch, weight_hh.shape[1], gates)
    c = _state(c0, batch, width, gates)
    output, cells, totals = [h] * steps, [c] * steps, [h] * steps
    for t in scan.order:
        z = gates[t].to(compute) + linear(_select(carries, t, h), weight_hh)
        parts = into_c[t] * z[:, : 3 * width]
        c_new = f[t] * _select(carries, t, c) + parts.reshape(batch, 3, width).sum(1)
        h_new = into_h[t] * z[:, 3 * width :] + c_into_h[t] * c_new
        if scan.weight_hr is not None:
            h_new = linear(h_new, scan.weight_hr.to(compute))
        if hidden is not None:
            h_new = h_new + hidden[t].to(compute)
        output[t], cells[t] = _select(valid, t, h_new), _select(valid, t, c_new)
        totals[t] = _select(valid, t, z)
        h, c = _select(valid, t, h_new, h), _select(valid, t, c_new, c)
    states = (torch.stack(output), h, c, torch.stack(cells), torch.stack(totals))
    return Tangents(*(state.to(dtype) for state in states))


def at_previous(scan: Scan, grads: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients at states (T, B, N) and initial ones (B, N) from those at what the steps read."""
    steps = grads.shape[0]
    valid = _valid(scan.lengths, steps)
    carries = _carries(scan.cont, valid, scan.reverse)
    zeros = torch.zeros_like(grads)
    for mask in (carries, valid):
        grads = grads if mask is None else torch.where(mask, grads, zeros)
    first = _step_mask(scan, steps, first=True)
    initial = torch.where(first, grads, zeros).sum(0)
    inner = torch.where(first, zeros, grads)
    ends = (zeros[:1], inner[:-1]) if scan.reverse else (inner[1:], zeros[:1])
    return torch.cat(ends), initial


def _step_mask(scan: Scan, steps: int, first: bool) -> Tensor:
    """Mask (T, B or 1, 1) of each row's first or last step in the order of the scan."""
    index = torch.arange(steps, device=scan.cells.device)[:, None, None]
    if first != scan.reverse:
        begins = index == 0
        return begins if scan.lengths is None else begins & (scan.lengths > 0)[:, None]
    return index == (steps if scan.lengths is None else scan.lengths[:, None]) - 1


def total_gradients(
    scan: Scan,
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    grad_cells: Tensor | None,
    grad_gates: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients at each step's h (T, B, P), o tanh(c) (T, B, H) and c (T, B, H).

    Args:
        scan, grad_output, grad_h_n, grad_c_n, grad_cells: as ``lstm_backward`` takes them.
        grad_gates: as it returned them.
    """
    steps, compute = grad_gates.shape[0], compute_dtype(grad_gates.dtype)
    last, valid = _step_mask(scan, steps, first=False), _valid(scan.lengths, steps)

    def from_outside(sequence: Tensor | None, final: Tensor | None, total: Tensor) -> Tensor:
        for more, mask in ((sequence, valid), (final, last)):
            if more is not None:
                more = more.to(compute)
                total = total + (more if mask is None else torch.where(mask, more, 0))
        return total

    through_gates, _ = at_previous(scan, grad_gates.to(compute) @ scan.weight_hh.to(compute))
    at_h = from_outside(grad_output, grad_h_n, through_gates)
    at_unprojected = at_h if scan.weight_hr is None else at_h @ scan.weight_hr.to(compute)
    _, f, _, o = scan.activations.to(compute).chunk(4, dim=-1)
    tanh_c = torch.tanh(scan.cells.to(compute))
    at_own = from_outside(grad_cells, grad_c_n, at_unprojected * o * (1 - tanh_c * tanh_c))
    carries = _carries(scan.cont, valid, scan.reverse)
    kept = f if carries is None else torch.where(carries, f, 0)
    at_c, following = [at_own[0]] * steps, None
    for t in reversed(scan.order):
        at_c[t] = at_own[t] if following is None else at_own[t] + kept[following] * at_c[following]
        following = t
    total = torch.stack(at_c)
    return at_h, at_unprojected, total if valid is None else torch.where(valid, total, 0)
