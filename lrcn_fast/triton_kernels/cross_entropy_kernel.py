"""The kernel of :mod:`lrcn_fast.triton_kernels.cross_entropy`."""

import triton
import triton.language as tl

__all__ = ["row_losses"]


@triton.jit(do_not_specialize=["ignore_index"])
def row_losses(
    logits,  # (N, V), contiguous
    targets,  # (N,)
    scale,  # one number
    losses,  # (N,)
    ignore_index,
    V,
    GRADIENT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A row in each program: greatest score and sum in one pass, the gradient in another."""
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(targets + row)
    scores = logits + row * V
    ignored = target == ignore_index
    if ignored:
        tl.store(losses + row, 0.0)
        if GRADIENT:
            for begin in range(0, V, BLOCK):
                v = begin + tl.arange(0, BLOCK)
                tl.store(scores + v, tl.zeros((BLOCK,), tl.float32), v < V)
    else:
        # Lane by lane. What was added to a sum before counts less when a greater score comes; of
        # lanes without any finite score nothing is subtracted, so that no infinities meet.
        greatest = tl.full((BLOCK,), float("-inf"), tl.float32)
        sums = tl.zeros((BLOCK,), tl.float32)
        for begin in range(0, V, BLOCK):
            v = begin + tl.arange(0, BLOCK)
            x = tl.load(scores + v, v < V, float("-inf")).to(tl.float32)
            more = tl.maximum(greatest, x)
            base = tl.where(more == float("-inf"), 0.0, more)
            sums = sums * tl.exp(greatest - base) + tl.exp(x - base)
            greatest = more
        most = tl.max(greatest, 0)
        total = tl.sum(sums * tl.exp(greatest - tl.where(most == float("-inf"), 0.0, most)), 0)
        known = (target >= 0) & (target < V)
        chosen = tl.load(scores + target, known, float("nan")).to(tl.float32)
        tl.store(losses + row, tl.log(total) + (most - chosen))
        if GRADIENT:
            # All have read the target's score before it is overwritten.
            tl.debug_barrier()
            factor = tl.load(scale) / total
            for begin in range(0, V, BLOCK):
                v = begin + tl.arange(0, BLOCK)
                x = tl.load(scores + v, v < V, float("-inf")).to(tl.float32)
                share = tl.exp(x - most) * factor
                share = tl.where(v == target, share - tl.load(scale), share)
                tl.store(scores + v, share, v < V)
