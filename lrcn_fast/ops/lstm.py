"""``lrcn_fast::lstm_forward`` and ``lstm_backward``: native, ``_triton`` and ``_reference``.

One layer in one direction over a whole sequence; see :mod:`lrcn_fast.reference.lstm` for the
meaning of every argument. The gates come in with the input products and the biases already in
them, and the gradients of the weights are formed here from the gradients at the gates: both are
one product of the library for all T steps.

``tf32`` says how CUDA kernels multiply float32 in the recurrence: 0 as it is, 1 or 3 as so many
TF32 products. The reference leaves that to torch's own products.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast._arguments import is_transformed
from lrcn_fast.ops import _library
from lrcn_fast.ops._autograd import pull_back
from lrcn_fast.ops.linear import project, weight_gradient

__all__ = [
    "BACKWARD_ROWS",
    "FORWARD_ROWS",
    "Saved",
    "fake_backward",
    "fake_forward",
    "gradients",
    "inject",
    "plus",
]

_FORWARD = (
    "(Tensor gates, Tensor weight_hh, Tensor? weight_hr, Tensor? static_gates, Tensor? h0, "
    "Tensor? c0, Tensor? cont, Tensor? lengths, bool reverse, bool batch_first, "
    "bool save_cells, bool save_activations, int tf32=0) "
    "-> (Tensor output, Tensor h_n, Tensor c_n, Tensor cells, Tensor activations)"
)
_BACKWARD = (
    "(Tensor? grad_output, Tensor? grad_h_n, Tensor? grad_c_n, Tensor? grad_cells, "
    "Tensor activations, Tensor cells, Tensor weight_hh, Tensor? weight_hr, Tensor? c0, "
    "Tensor? cont, Tensor? lengths, bool reverse, bool batch_first, int tf32=0) "
    "-> (Tensor grad_gates, Tensor grad_h0, Tensor grad_c0, Tensor grad_hidden)"
)

# See _vmap: 1 in sequences, 0 in states and lengths, None in weights.
FORWARD_ROWS = ((1, None, None, 0, 0, 0, 1, 0), (1, 0, 0, 1, 1))
BACKWARD_ROWS = ((1, 0, 0, 1, 1, 1, None, None, 0, 1, 0), (1, 0, 0, 1))


def fake_forward(
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
    tf32: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    outer = gates.shape[:2]
    batch = outer[0] if batch_first else outer[1]
    hidden, width = gates.shape[2] // 4, weight_hh.shape[1]
    return (
        gates.new_empty((*outer, width)),
        gates.new_empty((batch, width)),
        gates.new_empty((batch, hidden)),
        gates.new_empty((*outer, hidden) if save_cells else (0,)),
        gates.new_empty((*outer, 4 * hidden) if save_activations else (0,)),
    )


def fake_backward(
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
    tf32: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    outer = activations.shape[:2]
    batch = outer[0] if batch_first else outer[1]
    hidden, width = cells.shape[2], weight_hh.shape[1]
    return (
        activations.new_empty((*outer, 4 * hidden)),
        activations.new_empty((batch, width)),
        activations.new_empty((batch, hidden)),
        activations.new_empty((0,) if weight_hr is None else (*outer, width)),
    )


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

    def check(self, name: str) -> None:
        """Raise a RuntimeError where the forward kept no cells or no activations."""
        if self.activations.dim() == 3 and self.cells.dim() == 3:
            return
        raise RuntimeError(
            f"lrcn_fast::{name}: a gradient is asked for, but the forward was called "
            "without save_cells=True and save_activations=True"
        )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, weight_hh, weight_hr, _, h0, c0, cont, lengths, *options = inputs
    states, _, _, cells, activations = output
    ctx.save_for_backward(
        *Saved(weight_hh, weight_hr, h0, c0, cont, lengths, states, cells, activations)
    )
    ctx.reverse, ctx.batch_first, _, _, ctx.tf32 = options
    ctx.set_materialize_grads(False)


def _previous_states(
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


def _rows(sequence: Tensor) -> Tensor:
    """(T*B, N) of (T, B, N); not flatten, for which a gradient in batches has no rule."""
    return sequence.reshape(-1, sequence.shape[2])


def _gradient_at_weight_hh(
    grad_gates: Tensor,
    states: Tensor,
    h0: Tensor | None,
    cont: Tensor | None,
    lengths: Tensor | None,
    reverse: bool,
    batch_first: bool,
) -> Tensor:
    if cont is None and lengths is None and not batch_first:
        # The shifted states are a slice: no copy of the sequence is needed.
        steps = states.shape[0]
        current = grad_gates.narrow(0, 0 if reverse else 1, steps - 1)
        previous = states.narrow(0, 1 if reverse else 0, steps - 1)
        grad = weight_gradient(_rows(current), _rows(previous))
        if h0 is None:
            return grad
        first = grad_gates[-1 if reverse else 0].t()
        # vmap has no rule for the product in place, which needs no second buffer.
        return grad + first @ h0 if is_transformed() else grad.addmm_(first, h0)
    previous = _previous_states(states, h0, cont, lengths, reverse, batch_first)
    return weight_gradient(_rows(grad_gates), _rows(previous))


class Injected(NamedTuple):
    """What a second derivative sends through the activations of a scan, into the steps' gates."""

    gates: Tensor  # (T, B, 4H)
    output: Tensor  # (T, B, P), by way of the recurrent products
    h0: Tensor | None  # (B, P), in the same way


def inject(
    saved: Saved, reverse: bool, batch_first: bool, needs_h0: bool, grad_activations: Tensor | None
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
        inside = valid.transpose(0, 1) if batch_first else valid
        at_gates = torch.where(inside, at_gates, torch.zeros_like(at_gates))
    at_previous = project(at_gates, saved.weight_hh.t())
    rows = (saved.cont, saved.lengths, reverse, batch_first)
    sources = [saved.states]
    if saved.h0 is not None and needs_h0:
        sources.append(saved.h0)

    def previous(states: Tensor, h0: Tensor | None = saved.h0) -> Tensor:
        return _previous_states(states, h0, *rows)

    at_output, *at_h0 = pull_back(previous, sources, [at_previous])
    assert at_output is not None
    return Injected(at_gates, at_output, at_h0[0] if at_h0 else None)


def plus(grad: Tensor | None, other: Tensor) -> Tensor:
    return other if grad is None else grad + other


def gradients(
    needs: Sequence[bool],
    saved: Saved,
    reverse: bool,
    batch_first: bool,
    at_scan: Sequence[Tensor],
    injected: Injected | None,
) -> tuple[Tensor | None, ...]:
    """Return the gradients at the first six arguments of ``lstm_forward``.

    Args:
        needs: which of them are asked for.
        saved: by the forward.
        reverse: as given to the forward.
        batch_first: as given to the forward.
        at_scan: what ``lstm_backward`` returned.
        injected: by a second derivative, and already in the gradient at the output.
    """
    grad_gates, grad_h0, grad_c0, grad_hidden = at_scan
    if injected is not None:
        grad_gates = grad_gates + injected.gates
        grad_h0 = grad_h0 if injected.h0 is None else grad_h0 + injected.h0
    _, needs_hh, needs_hr, needs_static, needs_h0, needs_c0 = needs
    grad_hh = grad_hr = None
    if needs_hh:
        grad_hh = _gradient_at_weight_hh(
            grad_gates, saved.states, saved.h0, saved.cont, saved.lengths, reverse, batch_first
        )
    if needs_hr:
        unprojected = saved.activations[..., -saved.cells.shape[2] :] * saved.cells.tanh()
        grad_hr = weight_gradient(_rows(grad_hidden), _rows(unprojected))
    return (
        grad_gates,
        grad_hh,
        grad_hr,
        grad_gates.sum(1 if batch_first else 0) if needs_static else None,
        grad_h0 if needs_h0 else None,
        grad_c0 if needs_c0 else None,
    )


def _gradient(
    backward: Any,
    ctx: Any,
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    grad_cells: Tensor | None,
    grad_activations: Tensor | None,
) -> tuple[Tensor | None, ...]:
    saved = Saved(*ctx.saved_tensors)
    saved.check("lstm_forward")
    options = (ctx.reverse, ctx.batch_first)
    injected = inject(saved, *options, ctx.needs_input_grad[4], grad_activations)
    if injected is not None:
        grad_output = plus(grad_output, injected.output)
    grads = (grad_output, grad_h_n, grad_c_n, grad_cells)
    kept = (saved.activations, saved.cells, saved.weight_hh, saved.weight_hr, saved.c0)
    at_scan = backward(*grads, *kept, saved.cont, saved.lengths, *options, ctx.tf32)
    found = gradients(ctx.needs_input_grad[:6], saved, *options, at_scan, injected)
    return (*found, *[None] * 7)


def _reference_forward(*arguments: Any) -> tuple[Tensor, ...]:
    return reference.lstm_forward(*arguments[:12])


def _reference_backward(*arguments: Any) -> tuple[Tensor, ...]:
    return reference.lstm_backward(*arguments[:13])


def _triton_forward(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.lstm_forward(*arguments)


def _triton_backward(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.lstm_backward(*arguments)


_library.define_both(
    "lstm",
    _library.Half(
        _FORWARD,
        fake_forward,
        {"_triton": _triton_forward, "_reference": _reference_forward},
        FORWARD_ROWS,
    ),
    _library.Half(
        _BACKWARD,
        fake_backward,
        {"_triton": _triton_backward, "_reference": _reference_backward},
        BACKWARD_ROWS,
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    differentiable=True,
)
