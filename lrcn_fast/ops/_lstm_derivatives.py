"""Derivatives of the LSTM operators that no kernel forms, around those that the kernels do form."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops.linear import project, weight_gradient
from lrcn_fast.reference.lstm_tangent import Scan, at_previous, lstm_tangent, total_gradients

__all__ = [
    "Injected",
    "Saved",
    "backward_gradients",
    "before_projection",
    "forward_tangents",
    "inject",
    "plus",
    "previous_states",
    "rows_of",
]


class Saved(NamedTuple):
    """What the backward of a scan needs of its forward, as in ``lstm_forward``."""

    weight_hh: Tensor
    weight_hr: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    cont: Tensor | None
    lengths: Tensor | None
    states: Tensor
    cells: Tensor
    activations: Tensor

    @property
    def unprojected(self) -> Tensor:
        """Output (T, B, H) before the projection."""
        return before_projection(self.activations, self.cells)

    def scan(self, reverse: bool, batch_first: bool) -> Scan:
        """What the derivatives of the reference read."""
        kept = (self.activations, self.cells, self.weight_hh, self.weight_hr, self.c0)
        return _scan_of((*kept, self.cont, self.lengths, reverse, batch_first))

    def check(self, name: str) -> None:
        """Raise a RuntimeError where the forward kept no cells or no activations."""
        if self.activations.dim() == 3 and self.cells.dim() == 3:
            return
        raise RuntimeError(
            f"lrcn_fast::{name}: a gradient is asked for, but the forward was called "
            "without save_cells=True and save_activations=True"
        )


def before_projection(activations: Tensor, cells: Tensor) -> Tensor:
    """The outputs (T, B, H) of the units."""
    return activations[..., -cells.shape[2] :] * cells.tanh()


def previous_states(
    states: Tensor,
    h0: Tensor | None,
    cont: Tensor | None,
    lengths: Tensor | None,
    reverse: bool,
    batch_first: bool,
) -> Tensor:
    """The state (T, B, P) that each step's recurrent product read; anything past the lengths."""
    time = 1 if batch_first else 0
    steps = states.shape[time]
    initial = torch.zeros_like(states.select(time, 0)) if h0 is None else h0
    if lengths is not None and h0 is not None:
        # A row without steps read nothing, whatever its initial state is.
        initial = torch.where(lengths[:, None] > 0, h0, torch.zeros_like(h0))
    inner = states.narrow(time, 1 if reverse else 0, steps - 1)
    ends = [inner, initial.unsqueeze(time)] if reverse else [initial.unsqueeze(time), inner]
    previous = torch.cat(ends, time)
    last = None
    if reverse and lengths is not None:
        index = torch.arange(steps, device=states.device)
        last = index == lengths[:, None] - 1 if batch_first else index[:, None] == lengths - 1
        if h0 is not None:
            previous = torch.where(last.unsqueeze(2), initial.unsqueeze(time), previous)
    if cont is None:
        return previous
    carried = cont
    if reverse:
        ending = torch.ones_like(cont.narrow(time, 0, 1))
        carried = torch.cat([cont.narrow(time, 1, steps - 1), ending], time)
        carried = carried if last is None else carried | last
    return torch.where(carried.unsqueeze(2), previous, torch.zeros_like(previous))


def rows_of(sequence: Tensor) -> Tensor:
    """(T*B, N) of (T, B, N); not flatten, for which a gradient in batches has no rule."""
    return sequence.reshape(-1, sequence.shape[2])


class Injected(NamedTuple):
    """What a second derivative sends through the activations of a scan, into the steps' gates."""

    gates: Tensor  # (T, B, 4H)
    output: Tensor  # (T, B, P), by way of the recurrent products
    h0: Tensor  # (B, P), in the same way


def inject(
    saved: Saved, reverse: bool, batch_first: bool, grad_activations: Tensor | None
) -> Injected | None:
    """Return what has to be added for the gradients at activated gates (T, B, 4H); None for none.

    ``lstm_backward`` takes no such gradients. They go to the gates by themselves, and from there to
    the states that the steps read, whose gradients it takes.
    """
    if grad_activations is None:
        return None
    at_gates = grad_activations * reference.gate_slopes(saved.activations)
    if saved.lengths is not None:
        valid = reference.valid_steps(saved.lengths, at_gates.shape[1 if batch_first else 0])
        at_gates = torch.where(_turned(valid, batch_first), at_gates, 0)
    scan = saved.scan(reverse, batch_first)
    at_read = _turned(project(at_gates, saved.weight_hh.t()), batch_first)
    at_output, at_h0 = at_previous(scan, at_read)
    return Injected(at_gates, _turned(at_output, batch_first), at_h0)


def plus(grad: Tensor | None, other: Tensor) -> Tensor:
    return other if grad is None else grad + other


def _turned(sequence: Tensor, batch_first: bool) -> Tensor:
    return sequence.transpose(0, 1) if batch_first else sequence


def _scan_of(arguments: Sequence[Any]) -> Scan:
    """The arguments of ``lstm_backward`` from ``activations`` on, as the reference takes them."""
    activations, cells, weight_hh, weight_hr, c0, cont, lengths, reverse, batch_first = arguments
    previous = previous_states(cells, c0, cont, lengths, reverse, batch_first)
    return Scan(
        _turned(activations, batch_first),
        _turned(cells, batch_first),
        _turned(previous, batch_first),
        weight_hh,
        weight_hr,
        None if cont is None else _turned(cont, batch_first),
        lengths,
        reverse,
    )


def forward_tangents(
    saved: Saved, reverse: bool, batch_first: bool, tangents: Sequence[Tensor | None]
) -> tuple[Tensor, ...]:
    """Return the tangents of the five results of ``lstm_forward``.

    Args:
        saved: of the forward.
        reverse, batch_first: as given to it.
        tangents: of its first six arguments; None for zeros.
    """
    gates, weight_hh, weight_hr, static_gates, h0, c0 = tangents
    hidden = None
    total = torch.zeros_like(saved.activations) if gates is None else gates
    if weight_hh is not None:
        rows = (saved.cont, saved.lengths, reverse, batch_first)
        total = total + project(previous_states(saved.states, saved.h0, *rows), weight_hh)
    if static_gates is not None:
        total = total + static_gates.unsqueeze(1 if batch_first else 0)
    if weight_hr is not None:
        hidden = _turned(project(saved.unprojected, weight_hr), batch_first)
    scan = saved.scan(reverse, batch_first)
    found = lstm_tangent(scan, _turned(total, batch_first), hidden, h0, c0)
    of_activations = found.gates * reference.gate_slopes(scan.activations)
    sequences = (found.output, found.cells, of_activations)
    output, cells, activations = (_turned(x, batch_first) for x in sequences)
    return output, found.h_n, found.c_n, cells, activations


def backward_gradients(
    arguments: Sequence[Any], grad_gates: Tensor, grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Return the gradients at the first nine arguments of ``lstm_backward``.

    Args:
        arguments: as given to it, up to ``batch_first``.
        grad_gates: its first result.
        grads: the gradients at its four results.
    """
    scan, batch_first = _scan_of(arguments[4:]), arguments[-1]
    grad_output, grad_h_n, grad_c_n, grad_cells = arguments[:4]
    gates, h0, c0, hidden = grads
    of_output, of_cells = (
        None if x is None else _turned(x, batch_first) for x in (grad_output, grad_cells)
    )
    at_gates = _turned(grad_gates, batch_first)
    at_h, at_unprojected, at_c = total_gradients(
        scan, of_output, grad_h_n, grad_c_n, of_cells, at_gates
    )
    arriving = torch.zeros_like(at_gates) if gates is None else _turned(gates, batch_first)
    through_hidden = None
    if hidden is not None and scan.weight_hr is not None:
        through_hidden = _turned(hidden, batch_first)
    back = lstm_tangent(scan, arriving, through_hidden, h0, c0)
    rows = (scan.cont, scan.lengths, scan.reverse, False)
    at_activations, at_cells, at_read = reference.second_gate_gradients(
        back.gates,
        back.cells,
        previous_states(back.cells, c0, *rows),
        at_unprojected,
        at_c,
        scan.activations,
        scan.cells,
        scan.previous_cells,
    )
    at_earlier, at_c0 = at_previous(scan, at_read)
    at_hh = weight_gradient(rows_of(at_gates), rows_of(previous_states(back.output, h0, *rows)))
    found = [back.output, back.cells, at_activations, at_cells + at_earlier]
    at_output, cells, at_activations, at_cells = (_turned(x, batch_first) for x in found)
    at_hr = None
    if scan.weight_hr is not None:
        tanh_c, o = scan.cells.tanh(), scan.activations[..., -scan.cells.shape[2] :]
        through_o = back.gates[..., -scan.cells.shape[2] :] * o * (1 - o) * tanh_c
        unprojected = through_o + back.cells * o * (1 - tanh_c * tanh_c)
        at_hr = weight_gradient(rows_of(at_h.to(unprojected.dtype)), rows_of(unprojected))
    states = (at_output, back.h_n, back.c_n, cells)
    every = (*states, at_activations, at_cells, at_hh, at_hr, at_c0)
    return [None if x is None else gradient for x, gradient in zip(arguments, every)]
