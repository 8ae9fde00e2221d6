"""The product that every step is made of, and which rows of it the step may see."""

import triton
import triton.language as tl

__all__ = ["carries", "frame", "product", "row_lengths"]


@triton.jit
def product(
    left,
    left_mask,
    right,
    right_mask,
    depth,
    DEPTH: tl.constexpr,
    BLOCK_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """float32 (M, N): the sum over k < depth of left[m][k] * right[n][k].

    ``left`` (M,) and ``right`` (N,) point to rows, dense in k; rows outside their mask are zero.
    ``depth`` is DEPTH, or 0 where there is nothing to add. Every element adds its terms in an order
    that depends on the block sizes alone.
    """
    M: tl.constexpr = left.shape[0]
    N: tl.constexpr = right.shape[0]
    if M == 1:
        # A matrix times one vector: the tensor core would multiply fifteen rows of zeros.
        partial = tl.zeros((N, BLOCK_K), tl.float32)
        for start in range(0, depth, BLOCK_K):
            k = start + tl.arange(0, BLOCK_K)
            inside = (k < DEPTH)[None, :]
            a = tl.load(left[:, None] + k[None, :], left_mask[:, None] & inside, 0.0)
            b = tl.load(right[:, None] + k[None, :], right_mask[:, None] & inside, 0.0)
            partial += a.to(tl.float32) * b.to(tl.float32)
        total = tl.sum(partial, 1)[None, :]
    else:
        # The interpreter has no bfloat16; as float32 its products are as exact as on a tensor core.
        WIDENED: tl.constexpr = PRECISION == "widened"
        MODE: tl.constexpr = "ieee" if WIDENED else PRECISION
        total = tl.zeros((M, N), tl.float32)
        for start in range(0, depth, BLOCK_K):
            k = start + tl.arange(0, BLOCK_K)
            inside = (k < DEPTH)[None, :]
            a = tl.load(left[:, None] + k[None, :], left_mask[:, None] & inside, 0.0)
            b = tl.load(right[:, None] + k[None, :], right_mask[:, None] & inside, 0.0)
            if WIDENED:
                a, b = a.to(tl.float32), b.to(tl.float32)
            total = tl.dot(a, tl.trans(b), total, input_precision=MODE)
    return total


@triton.jit
def frame(t, rows, steps, batch, BATCH_FIRST: tl.constexpr):
    """Number of the frame (t, row) in a dense sequence; rows are 64-bit, so the result is."""
    if BATCH_FIRST:
        return rows * steps + t
    else:
        return rows + t * batch.to(tl.int64)


@triton.jit
def row_lengths(lengths, rows, inside, steps):
    """Valid steps of each row, never outside 0..steps, so that no wrong length reads elsewhere."""
    if lengths is None:
        return tl.zeros_like(rows) + steps
    else:
        length = tl.load(lengths + rows, inside, 0)
        return tl.minimum(tl.maximum(length, 0), steps)


@triton.jit
def carries(cont, cont_t, cont_b, t, rows, inside, length, steps, REVERSE: tl.constexpr):
    """Mask over the rows: does the previous state of the scan enter step t?

    The reverse scan comes from t + 1, and asks whether that step continues this one, where it is a
    step of the row at all.
    """
    if cont is None:
        return inside
    else:
        asked = rows * 0 + t
        if REVERSE:
            asked += 1
        exists = inside & (asked >= 0) & (asked < length)
        if not REVERSE:
            exists = inside & (asked < steps)
        return inside & (tl.load(cont + asked * cont_t + rows * cont_b, exists, 1) != 0)
