"""Pointwise kernels of one step; see :mod:`lrcn_fast.triton_kernels.lstm_cell`."""

import triton
import triton.language as tl

from lrcn_fast.triton_kernels.activation import gate_gradients, sigmoid, tanh

__all__ = ["cell_backward", "cell_forward"]


@triton.jit(do_not_specialize=["batch"])
def cell_forward(
    gates,  # (B, 4H), rows gates_b apart
    gates_b,
    c0,  # (B, H), rows c0_b apart, or None
    c0_b,
    h,  # (B, H), as c
    c,
    activations,  # (B, 4H)
    batch,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One element of the state in each lane."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row, unit = number // H, number % H
    mask = row < batch
    given = gates + row * gates_b + unit
    i = sigmoid(tl.load(given, mask, 0.0).to(tl.float32))
    f = sigmoid(tl.load(given + H, mask, 0.0).to(tl.float32))
    g = tanh(tl.load(given + 2 * H, mask, 0.0).to(tl.float32))
    o = sigmoid(tl.load(given + 3 * H, mask, 0.0).to(tl.float32))
    c_new = i * g
    if c0 is not None:
        c_new += f * tl.load(c0 + row * c0_b + unit, mask, 0.0).to(tl.float32)
    tl.store(h + number, o * tanh(c_new), mask)
    tl.store(c + number, c_new, mask)
    kept = activations + row * (4 * H) + unit
    tl.store(kept, i, mask)
    tl.store(kept + H, f, mask)
    tl.store(kept + 2 * H, g, mask)
    tl.store(kept + 3 * H, o, mask)


@triton.jit(do_not_specialize=["batch"])
def cell_backward(
    grad_h,  # (B, H), rows grad_h_b apart, or None; as grad_c, c and c0
    grad_h_b,
    grad_c,
    grad_c_b,
    activations,  # (B, 4H), rows activations_b apart
    activations_b,
    c,
    c_b,
    c0,
    c0_b,
    grad_gates,  # (B, 4H)
    grad_c0,  # (B, H)
    batch,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The same backwards."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row, unit = number // H, number % H
    mask = row < batch
    kept = activations + row * activations_b + unit
    i = tl.load(kept, mask, 0.0).to(tl.float32)
    f = tl.load(kept + H, mask, 0.0).to(tl.float32)
    g = tl.load(kept + 2 * H, mask, 0.0).to(tl.float32)
    o = tl.load(kept + 3 * H, mask, 0.0).to(tl.float32)
    cell = tl.load(c + row * c_b + unit, mask, 0.0).to(tl.float32)
    at_h = tl.zeros_like(cell)
    if grad_h is not None:
        at_h = tl.load(grad_h + row * grad_h_b + unit, mask, 0.0).to(tl.float32)
    at_c = tl.zeros_like(cell)
    if grad_c is not None:
        at_c = tl.load(grad_c + row * grad_c_b + unit, mask, 0.0).to(tl.float32)
    previous = tl.zeros_like(cell)
    if c0 is not None:
        previous = tl.load(c0 + row * c0_b + unit, mask, 0.0).to(tl.float32)
    z_i, z_f, z_g, z_o, at_c = gate_gradients(at_h, at_c, i, f, g, o, cell, previous)
    sent = grad_gates + row * (4 * H) + unit
    tl.store(sent, z_i, mask)
    tl.store(sent + H, z_f, mask)
    tl.store(sent + 2 * H, z_g, mask)
    tl.store(sent + 3 * H, z_o, mask)
    tl.store(grad_c0 + number, at_c * f, mask)
