"""``lrcn_fast::lstm_forward`` and ``lstm_backward``: native, ``_triton`` and ``_reference``.

One layer in one direction over a whole sequence; see :mod:`lrcn_fast.reference.lstm` for the
meaning of every argument. The gates come in with the input products and the biases already in
them, and the gradients of the weights are formed here from the gradients at the gates: both are
one product of the library for all T steps.

``tf32`` says how CUDA kernels multiply float32 in the recurrence: 0 as it is, 1 or 3 as so many
TF32 products. The reference leaves that to torch's own products.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lrcn_fast import reference
from lrcn_fast._arguments import is_transformed
from lrcn_fast.ops import _library
from lrcn_fast.ops._autograd import has_gradient, make_duals, unpack_duals
from lrcn_fast.ops._lstm_derivatives import (
    Injected,
    Saved,
    backward_gradients,
    forward_tangents,
    inject,
    plus,
    previous_states,
    rows_of,
)
from lrcn_fast.ops._pieces import row_cuts, without_first_step
from lrcn_fast.ops.linear import row_sum, weight_gradient

__all__ = [
    "BACKWARD_ROWS",
    "FORWARD_ROWS",
    "fake_backward",
    "fake_forward",
    "gradients",
    "only_asked_for",
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


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, weight_hh, weight_hr, _, h0, c0, cont, lengths, *options = inputs
    states, _, _, cells, activations = output
    ctx.save_for_backward(
        *Saved(weight_hh, weight_hr, h0, c0, cont, lengths, states, cells, activations)
    )
    ctx.reverse, ctx.batch_first, _, _, ctx.tf32 = options
    ctx.set_materialize_grads(False)


def scan_cuts(sequence: Tensor, batch_first: bool) -> list[int]:
    """Return the cuts of the rows of (T, B, ..), or of (1, T, ..); there are none of (B, T, ..)."""
    first, second = sequence.shape[:2]
    if not batch_first:
        return row_cuts(first, second, sequence)
    if type(sequence) is Tensor and first == 1:
        return row_cuts(second, 1, sequence)
    return [0, first * second]


def static_gradient(
    grad_gates: Tensor,
    batch_first: bool,
    cuts: list[int],
    reverse: bool,
    total: Tensor | None = None,
) -> Tensor:
    """Return the gradient (B, 4H) at the static gates: the sum over time, in the same pieces."""
    steps = grad_gates.transpose(0, 1) if batch_first else grad_gates
    batch = max(steps.shape[1], 1) if len(cuts) > 2 else 1
    return row_sum(steps, [cut // batch for cut in cuts], reverse, total)


def _gradient_at_weight_hh(
    grad_gates: Tensor,
    states: Tensor,
    h0: Tensor | None,
    cont: Tensor | None,
    lengths: Tensor | None,
    reverse: bool,
    batch_first: bool,
    cuts: list[int],
) -> Tensor:
    if cont is None and lengths is None and not batch_first:
        # The shifted states are a slice: no copy of the sequence is needed.
        steps = states.shape[0]
        current = grad_gates.narrow(0, 0 if reverse else 1, steps - 1)
        previous = states.narrow(0, 1 if reverse else 0, steps - 1)
        cuts = without_first_step(cuts, states.shape[1], reverse)
        grad = weight_gradient(rows_of(current), rows_of(previous), cuts, reverse)
        if h0 is None:
            return grad
        first = grad_gates[-1 if reverse else 0].t()
        # vmap has no rule for the product in place, which needs no second buffer.
        return grad + first @ h0 if is_transformed() else grad.addmm_(first, h0)
    previous = previous_states(states, h0, cont, lengths, reverse, batch_first)
    return weight_gradient(rows_of(grad_gates), rows_of(previous), cuts, reverse)


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
        grad_h0 = grad_h0 + injected.h0
    _, needs_hh, needs_hr, needs_static, needs_h0, needs_c0 = needs
    cuts = scan_cuts(grad_gates, batch_first)
    grad_hh = grad_hr = grad_static = None
    if needs_hh:
        options = (reverse, batch_first, cuts)
        grad_hh = _gradient_at_weight_hh(
            grad_gates, saved.states, saved.h0, saved.cont, saved.lengths, *options
        )
    if needs_hr:
        rows = rows_of(saved.unprojected)
        grad_hr = weight_gradient(rows_of(grad_hidden), rows, cuts, reverse)
    if needs_static:
        grad_static = static_gradient(grad_gates, batch_first, cuts, reverse)
    return (
        grad_gates,
        grad_hh,
        grad_hr,
        grad_static,
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
    injected = inject(saved, *options, grad_activations)
    if injected is not None:
        grad_output = plus(grad_output, injected.output)
    grads = (grad_output, grad_h_n, grad_c_n, grad_cells)
    kept = (saved.activations, saved.cells, saved.weight_hh, saved.weight_hr, saved.c0)
    at_scan = backward(*grads, *kept, saved.cont, saved.lengths, *options, ctx.tf32)
    found = gradients(ctx.needs_input_grad[:6], saved, *options, at_scan, injected)
    return (*found, *[None] * 7)


def only_asked_for(saved: Sequence[Tensor], asked: Sequence[bool]) -> list[Tensor]:
    """Cells and activations, (0,) for what the forward was not asked to save."""
    return [x if wanted else x.new_empty(0) for x, wanted in zip(saved, asked)]


def _forward_mode(operator: Any, *arguments: Any) -> tuple[Tensor, ...]:
    if has_gradient(arguments):
        # A backward that reads primals alone would lose their tangents.
        return _reference_forward(*arguments)
    primals, tangents = unpack_duals(arguments[:6])
    cont, lengths, reverse, batch_first, *saves_and_tf32 = arguments[6:]
    rows = (reverse, batch_first)
    results = operator(*primals, cont, lengths, *rows, True, True, *saves_and_tf32[2:])
    states, _, _, cells, activations = results
    _, weight_hh, weight_hr, _, h0, c0 = primals
    saved = Saved(weight_hh, weight_hr, h0, c0, cont, lengths, states, cells, activations)
    duals = make_duals(results, forward_tangents(saved, *rows, tangents))
    return (*duals[:3], *only_asked_for(duals[3:], saves_and_tf32))


def _setup_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.reverse, ctx.batch_first, _ = inputs
    ctx.save_for_backward(*tensors, output[0])
    ctx.set_materialize_grads(False)


def _second(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    *arguments, gates = ctx.saved_tensors
    found = backward_gradients([*arguments, ctx.reverse, ctx.batch_first], gates, grads)
    return (*found, *[None] * 5)


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
        _forward_mode,
    ),
    _library.Half(
        _BACKWARD,
        fake_backward,
        {"_triton": _triton_backward, "_reference": _reference_backward},
        BACKWARD_ROWS,
        lambda _, *arguments: _reference_backward(*arguments),
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    second=(_setup_second, _second),
)
