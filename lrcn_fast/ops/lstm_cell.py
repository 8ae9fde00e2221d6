"""``lrcn_fast::lstm_cell_forward`` and ``lstm_cell_backward``: native, ``_triton``, ``_reference``.

The pointwise part of one step; see :mod:`lrcn_fast.reference.lstm_cell`.
"""

from typing import Any

import torch
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


def _setup_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs)
    ctx.set_materialize_grads(False)


def _second(ctx: Any, at_gates: Tensor | None, at_c0: Tensor | None) -> tuple[Tensor | None, ...]:
    """The gradients at the arguments of the backward, which is linear in the first two."""
    arguments = grad_h, grad_c, activations, c, c0 = ctx.saved_tensors
    zeros = torch.zeros_like(c)
    gates = torch.zeros_like(activations) if at_gates is None else at_gates
    before = zeros if at_c0 is None else at_c0
    previous = zeros if c0 is None else c0
    grad_h = zeros if grad_h is None else grad_h
    i, f, g, o = activations.chunk(4, dim=-1)
    through_i, through_f, through_g, through_o = (gates * reference.gate_slopes(activations)).chunk(
        4, dim=-1
    )
    tanh_c = c.tanh()
    of_tanh = o * (1 - tanh_c * tanh_c)
    total_c = through_i * g + through_f * previous + through_g * i + before * f
    at_activations, at_c, at_previous = reference.second_gate_gradients(
        gates,
        total_c,
        before,
        grad_h,
        grad_h * of_tanh if grad_c is None else grad_c + grad_h * of_tanh,
        activations,
        c,
        previous,
    )
    at_h = through_o * tanh_c + total_c * of_tanh
    every = (at_h, total_c, at_activations, at_c, at_previous)
    return tuple(None if x is None else grad for x, grad in zip(arguments, every, strict=True))


_library.define_both(
    "lstm_cell",
    _library.Half(
        _FORWARD,
        _fake_forward,
        {"_triton": _triton_forward, "_reference": reference.lstm_cell_forward},
        rows=((0, 0), (0, 0, 0)),
        forward_mode=lambda _, *arguments: reference.lstm_cell_forward(*arguments),
    ),
    _library.Half(
        _BACKWARD,
        _fake_backward,
        {"_triton": _triton_backward, "_reference": reference.lstm_cell_backward},
        rows=((0, 0, 0, 0, 0), (0, 0)),
        forward_mode=lambda _, *arguments: reference.lstm_cell_backward(*arguments),
    ),
    setup_context=_setup_context,
    gradient=_gradient,
    second=(_setup_second, _second),
)
