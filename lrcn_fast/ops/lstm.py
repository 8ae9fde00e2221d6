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
from lrcn_fast.ops import _library
from lrcn_fast.ops.linear import weight_gradient

__all__ = ["Saved", "fake_backward", "fake_forward", "gradients"]

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
    # Saved for the backward alone.
    ctx.mark_non_differentiable(activations)


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
        current = grad_gates.narrow(0, 0 if reverse else 1, steps - 1).flatten(0, 1)
        previous = states.narrow(0, 1 if reverse else 0, steps - 1).flatten(0, 1)
        grad = weight_gradient(current, previous)
        return grad if h0 is None else grad.addmm_(grad_gates[-1 if reverse else 0].t(), h0)
    previous = _previous_states(states, h0, cont, lengths, reverse, batch_first)
    return weight_gradient(grad_gates.flatten(0, 1), previous.flatten(0, 1))


def gradients(
    needs: Sequence[bool],
    saved: Saved,
    reverse: bool,
    batch_first: bool,
    at_scan: Sequence[Tensor],
) -> tuple[Tensor | None, ...]:
    """Return the gradients at the first six arguments of ``lstm_forward``.

    Args:
        needs: which of them are asked for.
        saved: by the forward.
        reverse: as given to the forward.
        batch_first: as given to the forward.
        at_scan: what ``lstm_backward`` returned.
    """
    grad_gates, grad_h0, grad_c0, grad_hidden = at_scan
    _, needs_hh, needs_hr, needs_static, needs_h0, needs_c0 = needs
    grad_hh = grad_hr = None
    if needs_hh:
        grad_hh = _gradient_at_weight_hh(
            grad_gates, saved.states, saved.h0, saved.cont, saved.lengths, reverse, batch_first
        )
    if needs_hr:
        unprojected = saved.activations[..., -saved.cells.shape[2] :] * saved.cells.tanh()
        grad_hr = weight_gradient(grad_hidden.flatten(0, 1), unprojected.flatten(0, 1))
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
    grads = (grad_output, grad_h_n, grad_c_n, grad_cells)
    kept = (saved.activations, saved.cells, saved.weight_hh, saved.weight_hr, saved.c0)
    options = (ctx.reverse, ctx.batch_first)
    at_scan = backward(*grads, *kept, saved.cont, saved.lengths, *options, ctx.tf32)
    return (*gradients(ctx.needs_input_grad[:6], saved, *options, at_scan), *[None] * 7)


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
    ),
    _library.Half(
        _BACKWARD,
        fake_backward,
        {"_triton": _triton_backward, "_reference": _reference_backward},
    ),
    setup_context=_setup_context,
    gradient=_gradient,
)
