"""Definition of the pointwise LSTM cell: gate pre-activations to the next state, and back.

Gates lie along 4H in torch's order i, f, g, o. Half types compute in float32.
"""

import torch
from torch import Tensor


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which a tensor of ``dtype`` is computed: float32 for the half types."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def activate(gates: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split pre-activations (B, 4H) into sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)."""
    i, f, g, o = gates.chunk(4, dim=-1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


def gate_slopes(activations: Tensor) -> Tensor:
    """Derivatives (.., 4H) of the activated gates (.., 4H) by their pre-activations."""
    i, f, g, o = activations.chunk(4, dim=-1)
    return torch.cat([i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)], dim=-1)


def lstm_cell_forward(gates: Tensor, c0: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """One pointwise LSTM step.

    Args:
        gates: pre-activations (B, 4H), input and recurrent products and biases already summed.
        c0: previous cell state (B, H); zeros when None.

    Returns:
        h (B, H), c (B, H) and the activated gates (B, 4H), all in the dtype of ``gates``.
    """
    compute = compute_dtype(gates.dtype)
    i, f, g, o = activate(gates.to(compute))
    c = i * g
    if c0 is not None:
        c = f * c0.to(compute) + c
    h = o * torch.tanh(c)
    activations = torch.cat([i, f, g, o], dim=-1)
    return h.to(gates.dtype), c.to(gates.dtype), activations.to(gates.dtype)


def gate_gradients(
    grad_h: Tensor, grad_c: Tensor, activations: Tensor, c: Tensor, c_previous: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient at the pre-activations (B, 4H) and at the previous cell (B, H) of one step.

    ``grad_h`` and ``grad_c`` (B, H) are the total gradients at the step's h (before any
    projection) and c. Caffe's LSTMUnit layer, Backward_cpu, is the same formula.
    """
    i, f, g, o = activations.chunk(4, dim=-1)
    tanh_c = torch.tanh(c)
    grad_c = grad_c + grad_h * o * (1 - tanh_c * tanh_c)
    grad_gates = torch.cat(
        [
            grad_c * g * i * (1 - i),
            grad_c * c_previous * f * (1 - f),
            grad_c * i * (1 - g * g),
            grad_h * tanh_c * o * (1 - o),
        ],
        dim=-1,
    )
    return grad_gates, grad_c * f


def second_gate_gradients(
    gates: Tensor,
    c_total: Tensor,
    c_before: Tensor,
    grad_h: Tensor,
    grad_c: Tensor,
    activations: Tensor,
    c: Tensor,
    c_previous: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of :func:`gate_gradients` at activations (.., 4H), c and c_previous (.., H).

    Args:
        gates: what comes in at its first result, (.., 4H).
        c_total: what comes to ``grad_c``, once the first term of ``gate_gradients`` is added to it.
        c_before: what comes in at its second result.
        grad_h: as given to it.
        grad_c: as given to it, with that term.
        activations, c, c_previous: as given to it.
    """
    i, f, g, o = activations.chunk(4, dim=-1)
    of_i, of_f, of_g, of_o = gate_slopes(activations).chunk(4, dim=-1)
    at_i, at_f, at_g, at_o = gates.chunk(4, dim=-1)
    tanh_c = torch.tanh(c)
    of_tanh = 1 - tanh_c * tanh_c
    at_activations = [
        grad_c * (at_i * g * (1 - 2 * i) + at_g * of_g),
        grad_c * (at_f * c_previous * (1 - 2 * f) + c_before),
        grad_c * (at_i * of_i - 2 * at_g * i * g),
        grad_h * (at_o * tanh_c * (1 - 2 * o) + c_total * of_tanh),
    ]
    at_c = grad_h * of_tanh * (at_o * of_o - 2 * c_total * o * tanh_c)
    return torch.cat(at_activations, dim=-1), at_c, grad_c * at_f * of_f


def lstm_cell_backward(
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    activations: Tensor,
    c: Tensor,
    c0: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`lstm_cell_forward`.

    Args:
        grad_h: gradient at h (B, H), or None for zeros.
        grad_c: gradient at c (B, H), or None for zeros.
        activations: activated gates (B, 4H) returned by the forward.
        c: new cell state (B, H) returned by the forward.
        c0: previous cell state (B, H); zeros when None.

    Returns:
        grad_gates (B, 4H) and grad_c0 (B, H), the latter also when ``c0`` is None.
    """
    compute = compute_dtype(activations.dtype)
    cell = c.to(compute)
    zeros = torch.zeros_like(cell)
    grad_gates, grad_c0 = gate_gradients(
        zeros if grad_h is None else grad_h.to(compute),
        zeros if grad_c is None else grad_c.to(compute),
        activations.to(compute),
        cell,
        zeros if c0 is None else c0.to(compute),
    )
    return grad_gates.to(activations.dtype), grad_c0.to(activations.dtype)
