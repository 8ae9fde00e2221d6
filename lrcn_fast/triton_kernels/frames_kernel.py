"""The kernel of :mod:`lrcn_fast.triton_kernels.frames_to_input`."""

import triton
import triton.language as tl

__all__ = ["convert_frames"]


@triton.jit
def by_channel(channel, first, second, third, fourth):
    """One of four numbers for each lane."""
    return tl.where(
        channel < 2,
        tl.where(channel == 0, first, second),
        tl.where(channel == 2, third, fourth),
    )


@triton.jit(
    do_not_specialize=["count", "frame_height", "frame_width", "height", "width", "frames_n"]
)
def convert_frames(
    frames,  # (N, Y, X, C) uint8, of any strides
    frames_n,
    frames_y,
    frames_x,
    frames_c,
    offsets,  # (N, 2) int64, contiguous, or None
    mirror,  # (N,) uint8, contiguous, or None
    image,  # (C, Y, X) float32, of any strides, or None
    image_c,
    image_y,
    image_x,
    mean_0,
    mean_1,
    mean_2,
    mean_3,
    scale_0,
    scale_1,
    scale_2,
    scale_3,
    result,  # (N, height, width, C), or (N, C, height, width), contiguous
    count,  # elements of the result
    frame_height,
    frame_width,
    height,
    width,
    C: tl.constexpr,
    SWAP: tl.constexpr,
    FLOW: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One element of the result in each lane."""
    number = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = number < count
    if CHANNELS_LAST:
        channel, place = number % C, number // C
        x, y = place % width, place // width % height
        n = place // width // height
    else:
        x, place = number % width, number // width
        y, plane = place % height, place // height
        channel, n = plane % C, plane // C
    top = tl.zeros_like(n) + (frame_height - height) // 2
    left = tl.zeros_like(n) + (frame_width - width) // 2
    if offsets is not None:
        top = tl.maximum(tl.load(offsets + 2 * n, mask, 0), 0)
        top = tl.minimum(top, frame_height - height)
        left = tl.maximum(tl.load(offsets + 2 * n + 1, mask, 0), 0)
        left = tl.minimum(left, frame_width - width)
    source = channel
    if SWAP:
        source = tl.where(channel < 3, 2 - channel, channel)
    mirrored = tl.zeros_like(n) != 0
    if mirror is not None:
        mirrored = tl.load(mirror + n, mask, 0) != 0
    row = top + y
    column = left + tl.where(mirrored, width - 1 - x, x)
    at = frames + n * frames_n + row * frames_y + column * frames_x + source * frames_c
    pixel = tl.load(at, mask, 0).to(tl.float32)
    if FLOW >= 0:
        pixel = tl.where(mirrored & (source == FLOW), 255 - pixel, pixel)
    if image is not None:
        mean = tl.load(image + channel * image_c + row * image_y + column * image_x, mask, 0.0)
    else:
        mean = by_channel(channel, mean_0, mean_1, mean_2, mean_3)
    value = (pixel - mean) * by_channel(channel, scale_0, scale_1, scale_2, scale_3)
    tl.store(result + number, value, mask)
