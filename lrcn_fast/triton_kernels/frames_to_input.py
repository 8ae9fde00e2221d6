"""``frames_to_input``: pixels to the input of a convolution."""

import torch
import triton
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.triton_kernels import frames_kernel
from lrcn_fast.triton_kernels.arguments import DTYPES, check, dense
from lrcn_fast.triton_kernels.launch import on_device

__all__ = ["frames_to_input"]

_BLOCK = 1024
_MOST_CHANNELS = 4


def frames_to_input(
    frames: Tensor,
    offsets: Tensor | None,
    mirror: Tensor | None,
    mean_image: Tensor | None,
    mean: list[float],
    scale: list[float],
    height: int,
    width: int,
    swap_rb: bool,
    flow_channel: int,
    channels_last: bool,
    dtype: torch.dtype,
) -> Tensor:
    """Input of a convolution from frames; see ``reference.frames_to_input``.

    Returns:
        (N, C, height, width), float32, bfloat16 or float16.

    Raises:
        ValueError: a shape, device or value is wrong.
        TypeError: a dtype is wrong.
    """
    name = "frames_to_input"
    start = f"lrcn_fast::{name}_triton: argument"
    if frames.dim() != 4 or not 1 <= frames.shape[3] <= _MOST_CHANNELS:
        raise ValueError(
            f"{start} 'frames' must be (N, Y, X, C) of 1 to 4 channels, got {describe(frames)}"
        )
    count, rows, columns, channels = frames.shape
    check(name, "frames", frames, frames, (count, rows, columns, channels), "", torch.uint8)
    if dtype not in DTYPES:
        raise TypeError(f"{start} 'dtype' must be float32, bfloat16 or float16, got {dtype}")
    if not (1 <= height <= rows and 1 <= width <= columns):
        raise ValueError(
            f"{start}s 'height' and 'width' must lie within 1..Y and 1..X, "
            f"got {height} and {width} for {describe(frames)}"
        )
    if swap_rb and channels < 3:
        raise ValueError(f"{start} 'swap_rb' needs 3 or 4 channels, got {describe(frames)}")
    if not -1 <= flow_channel < channels:
        raise ValueError(f"{start} 'flow_channel' must lie within -1..C - 1, got {flow_channel}")
    for argument, numbers in (("mean", mean), ("scale", scale)):
        if len(numbers) != channels:
            raise ValueError(
                f"{start} {argument!r} must have C = {channels} numbers, got {len(numbers)}"
            )
    check(name, "offsets", offsets, frames, (count, 2), "(N, 2)", torch.int64)
    check(name, "mirror", mirror, frames, (count,), "(N,)", torch.bool)
    image = (channels, rows, columns)
    check(name, "mean_image", mean_image, frames, image, "(C, Y, X)", torch.float32)

    last = (count, height, width, channels)
    shape = last if channels_last else (count, channels, height, width)
    result = frames.new_empty(shape, dtype=dtype)
    if count > 0:
        padding = [0.0] * (_MOST_CHANNELS - channels)
        marks = None if mirror is None else mirror.contiguous().view(torch.uint8)
        with on_device(frames):
            frames_kernel.convert_frames[(triton.cdiv(result.numel(), _BLOCK),)](
                frames,
                *frames.stride(),
                dense(offsets),
                marks,
                mean_image,
                *((0, 0, 0) if mean_image is None else mean_image.stride()),
                *mean,
                *padding,
                *scale,
                *padding,
                result,
                result.numel(),
                rows,
                columns,
                height,
                width,
                channels,
                swap_rb,
                flow_channel if mirror is not None else -1,
                channels_last,
                _BLOCK,
            )
    return result.permute(0, 3, 1, 2) if channels_last else result
