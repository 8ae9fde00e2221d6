"""Kernels of one step of a search: states that follow their parents, and the best next words.

See :mod:`lrcn_fast.triton_kernels.lstm_step` and :mod:`lrcn_fast.triton_kernels.vocabulary_top_k`.
"""

import triton
import triton.language as tl

from lrcn_fast.triton_kernels.activation import sigmoid, tanh
from lrcn_fast.triton_kernels.product import product

__all__ = ["block_top_k", "merge_top_k", "search_step"]


@triton.jit
def added(z_i, z_f, z_g, z_o, matrix, index, mask, units, H: tl.constexpr):
    """Pre-activations plus those in the rows ``index`` of a matrix (.., 4H)."""
    given = matrix + index[:, None] * (4 * H) + units[None, :]
    return (
        z_i + tl.load(given, mask, 0.0).to(tl.float32),
        z_f + tl.load(given + H, mask, 0.0).to(tl.float32),
        z_g + tl.load(given + 2 * H, mask, 0.0).to(tl.float32),
        z_o + tl.load(given + 3 * H, mask, 0.0).to(tl.float32),
    )


@triton.jit(do_not_specialize=["count"])
def search_step(
    h,  # (M, H)
    c,  # (M, H)
    parents,  # int64 (N,), negative where a row begins
    weight_hh,  # (4H, H)
    inputs,  # (N, I) or None
    weight_ih,  # (4H, I) or None
    table,  # (R, 4H) or None
    words,  # int64 (N,) or None
    static_gates,  # (S, 4H) or None
    images,  # int64 (N,) or None
    h_n,  # (N, H)
    c_n,  # (N, H)
    count,
    H: tl.constexpr,
    I: tl.constexpr,  # noqa: E741
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """BLOCK_B rows and BLOCK_H units with all four gates in each program."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    units = tl.program_id(1).to(tl.int64) * BLOCK_H + tl.arange(0, BLOCK_H)
    inside = rows < count
    mask = inside[:, None] & (units < H)[None, :]
    parent = tl.load(parents + rows, inside, -1)
    carried = parent >= 0

    # The gates of a unit are neighbours: one product forms them, two splits part them.
    columns = tl.arange(0, 4 * BLOCK_H)
    owner = tl.program_id(1).to(tl.int64) * BLOCK_H + columns // 4
    gate = (columns % 4) * H + owner
    total = product(
        h + parent * H, carried, weight_hh + gate * H, owner < H, H, H, BLOCK_K, PRECISION
    )
    if inputs is not None:
        total += product(
            inputs + rows * I, inside, weight_ih + gate * I, owner < H, I, I, BLOCK_K, PRECISION
        )
    first, second = tl.split(tl.reshape(total, (BLOCK_B, BLOCK_H, 2, 2)))
    z_i, z_g = tl.split(first)
    z_f, z_o = tl.split(second)
    if table is not None:
        index = tl.load(words + rows, inside, 0)
        z_i, z_f, z_g, z_o = added(z_i, z_f, z_g, z_o, table, index, mask, units, H)
    if static_gates is not None:
        index = tl.load(images + rows, inside, 0)
        z_i, z_f, z_g, z_o = added(z_i, z_f, z_g, z_o, static_gates, index, mask, units, H)
    place = parent[:, None] * H + units[None, :]
    c_old = tl.load(c + place, mask & carried[:, None], 0.0).to(tl.float32)
    c_new = sigmoid(z_f) * c_old + sigmoid(z_i) * tanh(z_g)
    here = rows[:, None] * H + units[None, :]
    tl.store(c_n + here, c_new, mask)
    tl.store(h_n + here, sigmoid(z_o) * tanh(c_new), mask)


# Below every score but that of what may not be taken, which is -inf: the rank of -inf and NaN.
LOWEST: tl.constexpr = tl.constexpr(-3.4028234663852886e38)


@triton.jit(do_not_specialize=["count"])
def block_top_k(
    hidden,  # (N, H)
    weight,  # (V, H)
    bias,  # (V,) or None
    forbidden,  # bytes (V,) or None
    ranks,  # float32 (N, blocks, k)
    found,  # int32 (N, blocks, k)
    greatest,  # float32 (N, blocks)
    sums,  # float32 (N, blocks)
    count,
    k,
    V,
    H: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """The best k of BLOCK_V words for BLOCK_B rows, and their share of the log-sum-exp."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    words = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    inside, exists = rows < count, words < V
    scores = product(
        hidden + rows * H, inside, weight + words.to(tl.int64) * H, exists, H, H, BLOCK_K, PRECISION
    )
    if bias is not None:
        scores += tl.load(bias + words, exists, 0.0).to(tl.float32)[None, :]
    scores = tl.where(exists[None, :], scores, float("-inf"))

    place = rows * tl.num_programs(1) + tl.program_id(1)
    most = tl.max(scores, 1)
    base = tl.where(most == float("-inf"), 0.0, most)
    tl.store(greatest + place, most, inside)
    tl.store(sums + place, tl.sum(tl.exp(scores - base[:, None]), 1), inside)

    rank = tl.where(scores > LOWEST, scores, LOWEST)
    allowed = exists
    if forbidden is not None:
        allowed = allowed & (tl.load(forbidden + words, exists, 1) == 0)
    rank = tl.where(allowed[None, :], rank, float("-inf"))
    last = tl.full((BLOCK_B,), float("inf"), tl.float32)
    last_word = tl.full((BLOCK_B,), -1, tl.int32)
    for at in range(0, k):
        # What comes after the one before: less, or as much with a higher number.
        later = words[None, :] > last_word[:, None]
        after = (rank < last[:, None]) | ((rank == last[:, None]) & later)
        best = tl.max(tl.where(after, rank, float("-inf")), 1)
        where = after & (rank == best[:, None])
        word = tl.min(tl.where(where, words[None, :], V), 1)
        taken = best > float("-inf")
        tl.store(ranks + place * k + at, best, inside)
        tl.store(found + place * k + at, tl.where(taken, word, -1), inside)
        last, last_word = best, word


@triton.jit
def merge_top_k(
    ranks,  # float32 (N, candidates), -inf where there is none
    found,  # int32 (N, candidates)
    greatest,  # float32 (N, blocks)
    sums,  # float32 (N, blocks)
    log_probs,  # float32 (N, k)
    words,  # int64 (N, k)
    candidates,
    blocks,
    k,
    V,
    BLOCK: tl.constexpr,
):
    """The best k of all blocks for one row, and the log-sum-exp of all its scores."""
    row = tl.program_id(0).to(tl.int64)
    most = tl.full((), float("-inf"), tl.float32)
    for begin in range(0, blocks, BLOCK):
        b = begin + tl.arange(0, BLOCK)
        most = tl.maximum(
            most, tl.max(tl.load(greatest + row * blocks + b, b < blocks, float("-inf")), 0)
        )
    total = tl.full((), 0.0, tl.float32)
    for begin in range(0, blocks, BLOCK):
        b = begin + tl.arange(0, BLOCK)
        own = tl.load(greatest + row * blocks + b, b < blocks, float("-inf"))
        # A block of -inf alone adds nothing, whatever the greatest is.
        share = tl.where(own == most, 1.0, tl.exp(own - most))
        total += tl.sum(share * tl.load(sums + row * blocks + b, b < blocks, 0.0), 0)
    log_total = tl.log(total)
    last = tl.full((), float("inf"), tl.float32)
    last_word = tl.full((), -1, tl.int32)
    for at in range(0, k):
        best = tl.full((), float("-inf"), tl.float32)
        word = V
        for begin in range(0, candidates, BLOCK):
            n = begin + tl.arange(0, BLOCK)
            rank = tl.load(ranks + row * candidates + n, n < candidates, float("-inf"))
            other = tl.load(found + row * candidates + n, n < candidates, V)
            after = (rank < last) | ((rank == last) & (other > last_word))
            after = after & (rank > float("-inf"))
            piece = tl.max(tl.where(after, rank, float("-inf")), 0)
            first = tl.min(tl.where(after & (rank == piece), other, V), 0)
            better = (piece > best) | ((piece == best) & (first < word))
            best, word = tl.where(better, piece, best), tl.where(better, first, word)
        taken = best > float("-inf")
        score = tl.where(best > LOWEST, best, float("-inf"))
        log_prob = (score - most) - log_total
        tl.store(log_probs + row * k + at, tl.where(taken, log_prob, float("-inf")))
        tl.store(words + row * k + at, tl.where(taken, word, -1).to(tl.int64))
        last, last_word = best, word
