"""Sigmoid, tanh and the gradients of the gates, in float32 on any block."""

import triton
import triton.language as tl

__all__ = ["gate_gradients", "sigmoid", "tanh"]


@triton.jit
def sigmoid(x):
    """Logistic function; NaN stays NaN, infinities give the limits."""
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def tanh(x):
    """Hyperbolic tangent.

    Through exp alone small results would lose their leading digits, so they come from Cephes'
    polynomial (tanhf).
    """
    square = x * x
    polynomial = -5.70498872745e-3
    polynomial = polynomial * square + 2.06390887954e-2
    polynomial = polynomial * square - 5.37397155531e-2
    polynomial = polynomial * square + 1.33314422036e-1
    polynomial = polynomial * square - 3.33332819422e-1
    small = x + x * square * polynomial
    size = tl.abs(x)
    large = 1.0 - 2.0 / (tl.exp(2.0 * size) + 1.0)
    return tl.where(size < 0.625, small, tl.where(x < 0.0, -large, large))


@triton.jit
def gate_gradients(grad_h, grad_c, i, f, g, o, c, c_previous):
    """Gradients at the pre-activations i, f, g, o, and the total gradient at the cell c.

    ``grad_h`` and ``grad_c`` are the gradients at the step's h (before any projection) and c from
    everywhere else.
    """
    tanh_c = tanh(c)
    grad_c = grad_c + grad_h * o * (1.0 - tanh_c * tanh_c)
    return (
        grad_c * g * i * (1.0 - i),
        grad_c * c_previous * f * (1.0 - f),
        grad_c * i * (1.0 - g * g),
        grad_h * tanh_c * o * (1.0 - o),
        grad_c,
    )
