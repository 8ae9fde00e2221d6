"""``lrcn_fast::lstm_cell_forward`` and ``lstm_cell_backward``: native, ``_triton``, ``_reference``.

The pointwise part of one step; see :mod:`lrcn_fast.reference.lstm_cell`.
"""

from typing import Any

from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library

__all__: list[str] = []

_FORWARD = "(Tensor gates, Tensor? c0) -> (Tensor h, Tensor c, Tensor activations)"
_BACKWARD = (
    "(Tensor? grad_h, Tensor? grad_c, Tensor activations, Tensor c, Tensor? c0) "
    "-> (Tensor grad_gates, Tensor grad_c0)"
)


def _fake_forward(gates: Tensor, c0: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    batch, hidden = gates.shape[0], gates.shape[1] // 4
    return (
        gates.new_empty((batch, hidden)),
        gates.new_empty((batch, hidden)),
        gates.new_empty((batch, 4 * hidden)),
    )


def _fake_backward(
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    activations: Tensor,
    c: Tensor,
    c0: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    return activations.new_empty(activations.shape), c.new_empty(c.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, c, activations = output
    ctx.save_for_backward(activations, c, inputs[1])
    ctx.set_materialize_grads(False)


def _gradient(
    backward: Any,
    ctx: Any,
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    grad_activations: Tensor | None,
) -> tuple[Tensor | None, Tensor | None]:
    activations, c, c0 = ctx.saved_tensors
    grad_gates, grad_c0 = backward(grad_h, grad_c, activations, c, c0)
    if grad_activations is not None:  # from the second derivative alone
        grad_gates = grad_gates + grad_activations * reference.gate_slopes(activations)
    return grad_gates, grad_c0 if ctx.needs_input_grad[1] else None


def _triton_forward(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.lstm_cell_forward(*arguments)


def _triton_backward(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.lstm_cell_backward(*arguments)


_library.define_both(
    "lstm_cell",
    _library.Half(
        _FORWARD,
        _fake_forward,
        {"_triton": _triton_forward, "_reference": reference.lstm_cell_forward},
        rows=((0, 0), (0, 0, 0)),
    ),
    _library.Half(
        _BACKWARD,
        _fake_backward,
        {"_triton": _triton_backward, "_reference": reference.lstm_cell_backward},
        rows=((0, 0, 0, 0, 0), (0, 0)),
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    differentiable=True,
)
