"""``lstm_cell_forward`` and ``lstm_cell_backward``: the pointwise part of one step."""

from typing import Any

import triton
from torch import Tensor

from lrcn_fast.triton_kernels import cell_kernels
from lrcn_fast.triton_kernels.arguments import check, check_gates, unit_stride
from lrcn_fast.triton_kernels.launch import on_device

__all__ = ["lstm_cell_backward", "lstm_cell_forward"]

_BLOCK = 256


def lstm_cell_forward(gates: Tensor, c0: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """One pointwise step; see ``reference.lstm_cell_forward``.

    Args:
        gates: pre-activations (B, 4H), float32, bfloat16 or float16.
        c0: previous cell state (B, H); zeros when None.

    Returns:
        h (B, H), c (B, H) and the activated gates (B, 4H).

    Raises:
        ValueError: a shape or a device is wrong.
        TypeError: a dtype is wrong.
    """
    name = "lstm_cell_forward"
    check_gates(name, "gates", gates, "(B, 4H)")
    batch, hidden = gates.shape[0], gates.shape[1] // 4
    check(name, "c0", c0, gates, (batch, hidden), "(B, H)")
    h, c = gates.new_empty((batch, hidden)), gates.new_empty((batch, hidden))
    activations = gates.new_empty((batch, 4 * hidden))
    _launch(cell_kernels.cell_forward, h, (gates, c0), (h, c, activations))
    return h, c, activations


def lstm_cell_backward(
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    activations: Tensor,
    c: Tensor,
    c0: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`lstm_cell_forward`; see ``reference.lstm_cell_backward``.

    Args:
        grad_h, grad_c: gradients at h and c (B, H); zeros when None.
        activations: (B, 4H), saved by the forward.
        c: (B, H), returned by the forward.
        c0: (B, H), as given to the forward.

    Returns:
        grad_gates (B, 4H) and grad_c0 (B, H).

    Raises:
        ValueError: a shape or a device is wrong.
        TypeError: a dtype is wrong.
    """
    name = "lstm_cell_backward"
    check_gates(name, "activations", activations, "(B, 4H)")
    batch, hidden = activations.shape[0], activations.shape[1] // 4
    named = {"grad_h": grad_h, "grad_c": grad_c, "c": c, "c0": c0}
    for argument, tensor in named.items():
        check(name, argument, tensor, activations, (batch, hidden), "(B, H)")
    grad_gates, grad_c0 = activations.new_empty((batch, 4 * hidden)), c.new_empty((batch, hidden))
    given = (grad_h, grad_c, activations, c, c0)
    _launch(cell_kernels.cell_backward, grad_c0, given, (grad_gates, grad_c0))
    return grad_gates, grad_c0


def _launch(
    kernel: Any, state: Tensor, given: tuple[Tensor | None, ...], made: tuple[Tensor, ...]
) -> None:
    """Launch over all elements of ``state`` (B, H); ``given`` are passed with their row strides."""
    batch, hidden = state.shape
    if batch == 0:
        return
    arguments: list[Tensor | int | None] = []
    for tensor in map(unit_stride, given):
        arguments += [tensor, 0 if tensor is None else tensor.stride(0)]
    with on_device(state):
        grid = (triton.cdiv(state.numel(), _BLOCK),)
        kernel[grid](*arguments, *made, batch, hidden, _BLOCK)
