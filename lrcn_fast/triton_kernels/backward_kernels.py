"""Kernels of one step back in time; see :func:`lrcn_fast.triton_kernels.lstm.lstm_backward`.

The gradients at the gates of a row are zero past its length, so their product with W_hh is zero
until the scan of the row ends: there, and only there, the gradient at h_n enters.
"""

import triton
import triton.language as tl

from lrcn_fast.triton_kernels.activation import gate_gradients
from lrcn_fast.triton_kernels.product import carries, frame, product, row_lengths

__all__ = ["backward_step", "hidden_step", "initial_step"]


@triton.jit
def _at_hidden(
    grad_gates,
    weight,
    grad_output,
    output_t,
    output_b,
    grad_h_n,
    cont,
    cont_t,
    cont_b,
    length,
    t,
    steps,
    batch,
    rows,
    inside,
    columns,
    H: tl.constexpr,
    P: tl.constexpr,
    REVERSE: tl.constexpr,
    BATCH_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Total gradient, float32, at some columns of the h of step t, before any rounding."""
    if REVERSE:
        user = t - 1
        last = rows * 0 + t == 0
    else:
        user = t + 1
        last = t == length - 1
    carried = carries(cont, cont_t, cont_b, user, rows, inside, length, steps, REVERSE)
    total = product(
        grad_gates + frame(user, rows, steps, batch, BATCH_FIRST) * (4 * H),
        carried,
        weight + columns * (4 * H),
        columns < P,
        tl.where((user >= 0) & (user < steps), 4 * H, 0),
        4 * H,
        BLOCK_K,
        PRECISION,
    )
    mask = inside[:, None] & (columns < P)[None, :]
    if grad_output is not None:
        sent = grad_output + t * output_t + rows[:, None] * output_b + columns[None, :]
        total += tl.load(sent, mask, 0.0).to(tl.float32)
    if grad_h_n is not None:
        ends = mask & (inside & last)[:, None]
        total += tl.load(grad_h_n + rows[:, None] * P + columns[None, :], ends, 0.0).to(tl.float32)
    return total


@triton.jit(do_not_specialize=["t", "steps", "batch"])
def backward_step(
    grad_output,  # (T, B, P) by strides output_t, output_b, 1, or None; unused with a projection
    output_t,
    output_b,
    grad_h_n,  # (B, P) or None; unused with a projection
    grad_cells,  # (T, B, H) by strides cells_t, cells_b, 1, or None
    cells_t,
    cells_b,
    activations,  # frames of 4H
    cells,  # frames of H
    weight,  # W_hh transposed (H, 4H); with a projection W_hr transposed (H, P)
    c0,  # (B, H) or None
    cont,  # bytes (T, B) by strides, or None
    cont_t,
    cont_b,
    lengths,  # int64 (B,) or None
    grad_hidden,  # frames of P, with a projection: gradients at h from hidden_step
    grad_c,  # float32 (B, H), in place
    grad_gates,  # frames of 4H
    t,
    steps,
    batch,
    H: tl.constexpr,
    P: tl.constexpr,
    PROJECTED: tl.constexpr,
    REVERSE: tl.constexpr,
    BATCH_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Gradients at the gates of step t, from those of the step that used its state."""
    t = t.to(tl.int64)
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    units = tl.program_id(1).to(tl.int64) * BLOCK_H + tl.arange(0, BLOCK_H)
    inside = rows < batch
    mask = inside[:, None] & (units < H)[None, :]
    length = row_lengths(lengths, rows, inside, steps)
    valid = (t < length)[:, None]
    number = frame(t, rows, steps, batch, BATCH_FIRST)
    here = number[:, None]
    if PROJECTED:
        at_h = product(
            grad_hidden + number * P,
            inside,
            weight + units * P,
            units < H,
            P,
            P,
            BLOCK_K,
            PRECISION,
        )
    else:
        at_h = _at_hidden(
            grad_gates, weight, grad_output, output_t, output_b, grad_h_n, cont, cont_t, cont_b,
            length, t, steps, batch, rows, inside, units,
            H, P, REVERSE, BATCH_FIRST, PRECISION, BLOCK_K,
        )  # fmt: skip

    state = rows[:, None] * H + units[None, :]
    at_c = tl.load(grad_c + state, mask, 0.0)
    if grad_cells is not None:
        sent = grad_cells + t * cells_t + rows[:, None] * cells_b + units[None, :]
        at_c += tl.load(sent, mask, 0.0).to(tl.float32)
    kept = activations + here * (4 * H) + units[None, :]
    i = tl.load(kept, mask, 0.0).to(tl.float32)
    f = tl.load(kept + H, mask, 0.0).to(tl.float32)
    g = tl.load(kept + 2 * H, mask, 0.0).to(tl.float32)
    o = tl.load(kept + 3 * H, mask, 0.0).to(tl.float32)
    c = tl.load(cells + here * H + units[None, :], mask, 0.0).to(tl.float32)
    carried = carries(cont, cont_t, cont_b, t, rows, inside, length, steps, REVERSE)[:, None]
    if REVERSE:
        first = (t == length - 1)[:, None]
        before = frame(t + 1, rows, steps, batch, BATCH_FIRST)[:, None]
    else:
        first = (rows * 0 + t == 0)[:, None]
        before = frame(t - 1, rows, steps, batch, BATCH_FIRST)[:, None]
    read = mask & valid & carried
    previous = cells + before * H + units[None, :]
    c_previous = tl.load(previous, read & (first == 0), 0.0).to(tl.float32)
    if c0 is not None:
        c_previous += tl.load(c0 + state, read & first, 0.0).to(tl.float32)
    z_i, z_f, z_g, z_o, at_c = gate_gradients(at_h, at_c, i, f, g, o, c, c_previous)
    sent = grad_gates + here * (4 * H) + units[None, :]
    tl.store(sent, tl.where(valid, z_i, 0.0), mask)
    tl.store(sent + H, tl.where(valid, z_f, 0.0), mask)
    tl.store(sent + 2 * H, tl.where(valid, z_g, 0.0), mask)
    tl.store(sent + 3 * H, tl.where(valid, z_o, 0.0), mask)
    tl.store(grad_c + state, tl.where(carried, at_c * f, 0.0), mask & valid)


@triton.jit(do_not_specialize=["t", "steps", "batch"])
def hidden_step(
    grad_output,  # as for backward_step, down to grad_h_n
    output_t,
    output_b,
    grad_h_n,
    weight,  # W_hh transposed (P, 4H)
    cont,
    cont_t,
    cont_b,
    lengths,
    grad_hidden,  # frames of P
    grad_gates,  # frames of 4H
    t,
    steps,
    batch,
    H: tl.constexpr,
    P: tl.constexpr,
    REVERSE: tl.constexpr,
    BATCH_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Gradients at the projected h of step t."""
    t = t.to(tl.int64)
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    columns = tl.program_id(1).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = rows < batch
    length = row_lengths(lengths, rows, inside, steps)
    at_h = _at_hidden(
        grad_gates, weight, grad_output, output_t, output_b, grad_h_n, cont, cont_t, cont_b,
        length, t, steps, batch, rows, inside, columns,
        H, P, REVERSE, BATCH_FIRST, PRECISION, BLOCK_K,
    )  # fmt: skip
    here = frame(t, rows, steps, batch, BATCH_FIRST)[:, None]
    mask = inside[:, None] & (columns < P)[None, :]
    valid = (t < length)[:, None]
    tl.store(grad_hidden + here * P + columns[None, :], tl.where(valid, at_h, 0.0), mask)


@triton.jit(do_not_specialize=["steps", "batch"])
def initial_step(
    grad_h_n,  # (B, P) or None
    weight,  # W_hh transposed (P, 4H)
    cont,
    cont_t,
    cont_b,
    lengths,
    grad_gates,  # frames of 4H
    grad_h0,  # (B, P)
    steps,
    batch,
    H: tl.constexpr,
    P: tl.constexpr,
    REVERSE: tl.constexpr,
    BATCH_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Gradients at h0, which the first step of each row's scan used."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    columns = tl.program_id(1).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = rows < batch
    length = row_lengths(lengths, rows, inside, steps)
    first = rows * 0
    if REVERSE:
        first = tl.maximum(length - 1, 0)
    carried = carries(cont, cont_t, cont_b, first, rows, inside, length, steps, REVERSE)
    total = product(
        grad_gates + frame(first, rows, steps, batch, BATCH_FIRST) * (4 * H),
        carried & (length > 0),
        weight + columns * (4 * H),
        columns < P,
        4 * H,
        4 * H,
        BLOCK_K,
        PRECISION,
    )
    mask = inside[:, None] & (columns < P)[None, :]
    state = rows[:, None] * P + columns[None, :]
    if grad_h_n is not None:
        untouched = mask & (length == 0)[:, None]
        total += tl.load(grad_h_n + state, untouched, 0.0).to(tl.float32)
    tl.store(grad_h0 + state, total, mask)
