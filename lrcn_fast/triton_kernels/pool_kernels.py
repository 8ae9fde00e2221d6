"""Stages of :mod:`lrcn_fast.triton_kernels.relu_max_pool_lrn`, one element in each lane.

Maps are dense, (N, C, Y, X) or channels-last (N, Y, X, C).
"""

import triton
import triton.language as tl

__all__ = ["normalize", "normalize_backward", "pool", "unpool"]


@triton.jit
def loaded(values, number, mask, RELU: tl.constexpr):
    """Values in float32; NaN goes through the ReLU."""
    value = tl.load(values + number, mask, 0.0).to(tl.float32)
    if RELU:
        value = tl.where(value <= 0.0, 0.0, value)
    return value


@triton.jit
def scale(
    values, number, channel, mask, ratio, k, STEP, C, RELU: tl.constexpr, AROUND: tl.constexpr
):
    """k + ratio * the sum of squares over the channels around."""
    squares = tl.zeros_like(number).to(tl.float32)
    for there in range(-AROUND, AROUND + 1):
        inside = mask & (channel + there >= 0) & (channel + there < C)
        value = loaded(values, number + there * STEP, inside, RELU)
        squares += value * value
    return k + ratio * squares


@triton.jit
def denominator(s, BETA: tl.constexpr):
    """s ** beta."""
    if BETA == 0.75:
        half = tl.sqrt_rn(s)
        return half * tl.sqrt_rn(half)
    return tl.exp2(BETA * tl.log2(s))


@triton.jit
def coordinates(number, C, height, width, CHANNELS_LAST: tl.constexpr):
    """Frame, channel, row and column of an element."""
    if CHANNELS_LAST:
        channel, pixel = number % C, number // C
        column, line = pixel % width, pixel // width
        return line // height, channel, line % height, column
    column, line = number % width, number // width
    row, plane = line % height, line // height
    return plane // C, plane % C, row, column


@triton.jit(do_not_specialize=["count", "step"])
def normalize(
    values,  # (N, C, Y, X)
    result,  # the same
    count,  # of its elements
    step,  # from a channel to the next
    ratio,  # alpha / lrn_size
    k,
    C: tl.constexpr,
    BETA: tl.constexpr,
    AROUND: tl.constexpr,  # channels on either side; -1: no LRN
    RELU: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """max(x, 0), if RELU, over scale ** beta, if there is LRN."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = number < count
    value = loaded(values, number, mask, RELU)
    if AROUND >= 0:
        channel = number // step % C
        s = scale(values, number, channel, mask, ratio, k, step, C, RELU, AROUND)
        value = value / denominator(s, BETA)
    tl.store(result + number, value, mask)


@triton.jit(do_not_specialize=["count", "step"])
def normalize_backward(
    grad,  # (N, C, Y, X) at the result
    values,  # (N, C, Y, X) of the forward
    result,  # (N, C, Y, X) gradient at the values
    count,
    step,
    ratio,
    k,
    C: tl.constexpr,
    BETA: tl.constexpr,
    AROUND: tl.constexpr,
    RELU: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The same backwards."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = number < count
    value = tl.load(values + number, mask, 0.0).to(tl.float32)
    found = tl.load(grad + number, mask, 0.0).to(tl.float32)
    if AROUND >= 0:
        channel = number // step % C
        spread = tl.zeros_like(value)
        for there in range(-AROUND, AROUND + 1):
            inside = mask & (channel + there >= 0) & (channel + there < C)
            at, other = number + there * step, channel + there
            s = scale(values, at, other, inside, ratio, k, step, C, RELU, AROUND)
            sent = tl.load(grad + at, inside, 0.0).to(tl.float32) / denominator(s, BETA)
            share = sent * loaded(values, at, inside, RELU) / s
            # Outside s may be zero.
            spread += tl.where(inside, share, 0.0)
        s = scale(values, number, channel, mask, ratio, k, step, C, RELU, AROUND)
        found = found / denominator(s, BETA) - 2.0 * ratio * BETA * value * spread
    if RELU:
        found = tl.where(value <= 0.0, 0.0, found)
    tl.store(result + number, found, mask)


@triton.jit(do_not_specialize=["count", "height", "width", "pooled_height", "pooled_width"])
def pool(
    values,  # (N, C, Y, X)
    result,  # (N, C, Yp, Xp)
    index,  # (N, C, Yp, Xp) uint8, or None
    count,  # elements of the result
    height,
    width,
    pooled_height,
    pooled_width,
    C: tl.constexpr,
    KERNEL_Y: tl.constexpr,
    KERNEL_X: tl.constexpr,
    STRIDE_Y: tl.constexpr,
    STRIDE_X: tl.constexpr,
    BLOCKED: tl.constexpr,
    RELU: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The largest value of each window, and its place; max(.., 0) of it if RELU."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = number < count
    n, c, row, column = coordinates(number, C, pooled_height, pooled_width, CHANNELS_LAST)
    best = tl.full((BLOCK,), float("-inf"), tl.float32)
    place = tl.zeros((BLOCK,), tl.int32)
    for down in range(KERNEL_Y):
        for across in range(KERNEL_X):
            y, x = row * STRIDE_Y + down, column * STRIDE_X + across
            at = ((n * C + c) * height + y) * width + x
            if CHANNELS_LAST:
                at = ((n * height + y) * width + x) * C + c
            inside = mask & (y < height) & (x < width)
            value = tl.load(values + at, inside, float("-inf")).to(tl.float32)
            wins = (value > best) | (value != value)
            best = tl.where(wins, value, best)
            place = tl.where(wins, down * KERNEL_X + across, place)
    if RELU:
        place = tl.where(best <= 0.0, BLOCKED, place)
        best = tl.where(best <= 0.0, 0.0, best)
    tl.store(result + number, best, mask)
    if index is not None:
        tl.store(index + number, place.to(tl.uint8), mask)


@triton.jit(do_not_specialize=["count", "height", "width", "pooled_height", "pooled_width"])
def unpool(
    grad,  # (N, C, Yp, Xp)
    index,  # (N, C, Yp, Xp) uint8
    result,  # (N, C, Y, X)
    count,  # elements of the result
    height,
    width,
    pooled_height,
    pooled_width,
    C: tl.constexpr,
    KERNEL_Y: tl.constexpr,
    KERNEL_X: tl.constexpr,
    STRIDE_Y: tl.constexpr,
    STRIDE_X: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """What the windows that hold an element send to it, in their order."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = number < count
    n, c, y, x = coordinates(number, C, height, width, CHANNELS_LAST)
    found = tl.zeros((BLOCK,), tl.float32)
    reach_y: tl.constexpr = (KERNEL_Y - 1) // STRIDE_Y
    reach_x: tl.constexpr = (KERNEL_X - 1) // STRIDE_X
    for down in range(reach_y + 1):
        for across in range(reach_x + 1):
            row, column = y // STRIDE_Y - reach_y + down, x // STRIDE_X - reach_x + across
            in_row, in_column = y - row * STRIDE_Y, x - column * STRIDE_X
            holds = (in_row < KERNEL_Y) & (in_column < KERNEL_X)
            exists = (row >= 0) & (row < pooled_height) & (column >= 0) & (column < pooled_width)
            at = ((n * C + c) * pooled_height + row) * pooled_width + column
            if CHANNELS_LAST:
                at = ((n * pooled_height + row) * pooled_width + column) * C + c
            place = tl.load(index + at, mask & holds & exists, 255).to(tl.int64)
            hit = mask & holds & exists & (place == in_row * KERNEL_X + in_column)
            found += tl.load(grad + at, hit, 0.0).to(tl.float32)
    tl.store(result + number, found, mask)
