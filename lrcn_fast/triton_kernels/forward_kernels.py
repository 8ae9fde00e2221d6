"""Kernels of one step of the recurrence; see :func:`lrcn_fast.triton_kernels.lstm.lstm_forward`.

A program owns BLOCK_B rows of the batch and BLOCK_H units with all four gates, so the state of its
units needs nobody else's gates.
"""

import triton
import triton.language as tl

from lrcn_fast.triton_kernels.activation import sigmoid, tanh
from lrcn_fast.triton_kernels.product import carries, frame, product, row_lengths

__all__ = ["forward_step", "projection_step"]


# The sizes that change from call to call are plain numbers: no value of them compiles anew.
@triton.jit(do_not_specialize=["t", "steps", "batch"])
def forward_step(
    gates,  # (T, B, 4H) by strides gates_t, gates_b, 1
    gates_t,
    gates_b,
    weight_hh,  # (4H, P)
    static_gates,  # (B, 4H) or None
    h_in,  # (B, P) before the step
    h_out,  # (B, P) after it; unused with a projection
    c,  # float32 (B, H), in place
    unprojected,  # (B, H), with a projection
    cont,  # bytes (T, B) by strides, or None
    cont_t,
    cont_b,
    lengths,  # int64 (B,) or None
    output,  # frames of P; unused with a projection
    cells,  # frames of H, or None
    activations,  # frames of 4H, or None
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
    """Step t from h and c, and whatever the backward wants of it."""
    t = t.to(tl.int64)
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    units = tl.program_id(1).to(tl.int64) * BLOCK_H + tl.arange(0, BLOCK_H)
    inside = rows < batch
    mask = inside[:, None] & (units < H)[None, :]
    length = row_lengths(lengths, rows, inside, steps)
    valid = (t < length)[:, None]
    carried = carries(cont, cont_t, cont_b, t, rows, inside, length, steps, REVERSE)

    # The gates of a unit are neighbours: one product forms them, two splits part them.
    columns = tl.arange(0, 4 * BLOCK_H)
    owner = tl.program_id(1).to(tl.int64) * BLOCK_H + columns // 4
    total = product(
        h_in + rows * P,
        carried,
        weight_hh + ((columns % 4) * H + owner) * P,
        owner < H,
        P,
        P,
        BLOCK_K,
        PRECISION,
    )
    first, second = tl.split(tl.reshape(total, (BLOCK_B, BLOCK_H, 2, 2)))
    z_i, z_g = tl.split(first)
    z_f, z_o = tl.split(second)
    given = gates + t * gates_t + rows[:, None] * gates_b + units[None, :]
    z_i += tl.load(given, mask, 0.0).to(tl.float32)
    z_f += tl.load(given + H, mask, 0.0).to(tl.float32)
    z_g += tl.load(given + 2 * H, mask, 0.0).to(tl.float32)
    z_o += tl.load(given + 3 * H, mask, 0.0).to(tl.float32)
    if static_gates is not None:
        given = static_gates + rows[:, None] * (4 * H) + units[None, :]
        z_i += tl.load(given, mask, 0.0).to(tl.float32)
        z_f += tl.load(given + H, mask, 0.0).to(tl.float32)
        z_g += tl.load(given + 2 * H, mask, 0.0).to(tl.float32)
        z_o += tl.load(given + 3 * H, mask, 0.0).to(tl.float32)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)

    state = rows[:, None] * H + units[None, :]
    c_old = tl.where(carried[:, None], tl.load(c + state, mask, 0.0), 0.0)
    c_new = f * c_old + i * g
    h_new = o * tanh(c_new)
    tl.store(c + state, c_new, mask & valid)
    here = frame(t, rows, steps, batch, BATCH_FIRST)[:, None]
    if PROJECTED:
        tl.store(unprojected + state, h_new, mask)
    else:
        tl.store(output + here * H + units[None, :], tl.where(valid, h_new, 0.0), mask)
        if lengths is not None:
            h_new = tl.where(valid, h_new, tl.load(h_in + state, mask, 0.0).to(tl.float32))
        tl.store(h_out + state, h_new, mask)
    if cells is not None:
        tl.store(cells + here * H + units[None, :], tl.where(valid, c_new, 0.0), mask)
    if activations is not None:
        kept = activations + here * (4 * H) + units[None, :]
        tl.store(kept, tl.where(valid, i, 0.0), mask)
        tl.store(kept + H, tl.where(valid, f, 0.0), mask)
        tl.store(kept + 2 * H, tl.where(valid, g, 0.0), mask)
        tl.store(kept + 3 * H, tl.where(valid, o, 0.0), mask)


@triton.jit(do_not_specialize=["t", "steps", "batch"])
def projection_step(
    unprojected,  # (B, H)
    weight_hr,  # (P, H)
    h_in,  # (B, P) before the step
    h_out,  # (B, P) after it
    lengths,  # int64 (B,) or None
    output,  # frames of P
    t,
    steps,
    batch,
    H: tl.constexpr,
    P: tl.constexpr,
    BATCH_FIRST: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """The projection of step t; it needs all units, so it waits for all programs of the step."""
    t = t.to(tl.int64)
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    columns = tl.program_id(1).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = rows < batch
    mask = inside[:, None] & (columns < P)[None, :]
    valid = (t < row_lengths(lengths, rows, inside, steps))[:, None]
    h_new = product(
        unprojected + rows * H,
        inside,
        weight_hr + columns * H,
        columns < P,
        H,
        H,
        BLOCK_K,
        PRECISION,
    )
    here = frame(t, rows, steps, batch, BATCH_FIRST)[:, None]
    tl.store(output + here * P + columns[None, :], tl.where(valid, h_new, 0.0), mask)
    state = rows[:, None] * P + columns[None, :]
    if lengths is not None:
        h_new = tl.where(valid, h_new, tl.load(h_in + state, mask, 0.0).to(tl.float32))
    tl.store(h_out + state, h_new, mask)
