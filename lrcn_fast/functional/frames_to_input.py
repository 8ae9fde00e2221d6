"""``frames_to_input``: frames of pixels to the input of a convolution, in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401  Defines torch.ops.lrcn_fast.
from lrcn_fast._arguments import check_floating, describe, numbers_of_channels
from lrcn_fast.backends import OpSpec, choose
from lrcn_fast.functional._windows import (
    check_mirror,
    check_offsets,
    check_size,
    with_channels_last,
)

__all__ = ["frames_to_input"]

_OPERATORS = {
    suffix: getattr(torch.ops.lrcn_fast, f"frames_to_input{suffix}").default
    for suffix in ("", "_triton", "_reference")
}
_FORMATS = (torch.channels_last, torch.contiguous_format)


def frames_to_input(
    frames: Tensor,
    *,
    size: tuple[int, int] | None = None,
    offsets: Tensor | None = None,
    mirror: Tensor | None = None,
    mean: Tensor | Sequence[float] | float = 0.0,
    scale: Sequence[float] | float = 1.0,
    swap_rb: bool = False,
    flow_channel: int | None = None,
    channel_dim: int | None = None,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.channels_last,
    backend: str | None = None,
) -> Tensor:
    """Cut, mirror and normalise frames of pixels (Caffe's DataTransformer).

    Each value is (pixel - mean) * scale, computed in float32, in float64 where that is ``dtype``.
    N frames of Y x X pixels, C = 1..4 channels. Nothing here is differentiable.

    Args:
        frames: (N, Y, X, C) or (N, C, Y, X), uint8, of any strides.
        size: (Y', X') of the window that is cut out; the whole frame when None.
        offsets: (N, 2) integers on any device: row and column of each window's first pixel. Those
            outside 0..Y - Y', 0..X - X' are an error on the CPU and the nearest inside on a GPU.
            None cuts out the middle.
        mirror: (N,) bool on any device: frames whose columns run backwards; none when None.
        mean: a number, C numbers, a tensor (C,), or an image (C, Y, X) that is subtracted where
            the pixel lay in the frame.
        scale: a number, or C numbers, such as 1/std.
        swap_rb: exchange channels 0 and 2, RGB to BGR or back. ``mean`` and ``scale`` are those of
            the channels after it.
        flow_channel: channel of ``frames`` with the horizontal flow, if they show flow: a mirrored
            frame has 255 - pixel there.
        channel_dim: 1 or 3, where C is; None finds it by its size, if only one of the two fits.
        dtype: of the result, floating.
        memory_format: of the result: ``torch.channels_last``, in which convolutions of so few
            channels are fastest, or ``torch.contiguous_format``.
        backend: a backend's name; None chooses as :mod:`lrcn_fast.backends` says.

    Returns:
        (N, C, Y', X').

    Raises:
        ValueError: a shape, device or value is wrong.
        TypeError: a dtype is wrong.
        RuntimeError: the backend asked for cannot run the call.
    """
    pixels = with_channels_last(frames, channel_dim)
    _, rows, columns, channels = pixels.shape
    height, width = check_size(size, rows, columns)
    if offsets is not None:
        offsets = check_offsets(offsets, pixels, height, width)
    if mirror is not None:
        mirror = check_mirror(mirror, pixels)
    if swap_rb and channels < 3:
        raise ValueError(f"swap_rb: expected frames of 3 or 4 channels, got {describe(frames)}")
    if flow_channel is not None and not 0 <= flow_channel < channels:
        raise ValueError(
            f"flow_channel: expected None or 0..{channels - 1}, the frames' channels, "
            f"got {flow_channel}"
        )
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype: expected a floating dtype, got {dtype}")
    if memory_format not in _FORMATS:
        raise ValueError(
            "memory_format: expected torch.channels_last or torch.contiguous_format, "
            f"got {memory_format}"
        )
    image = None
    if isinstance(mean, Tensor):
        image, mean = _mean_image(mean, pixels, dtype), 0.0
    chosen = choose(OpSpec(pixels.device.type, dtype, "frames_to_input"), backend)
    result: Tensor = _OPERATORS[chosen.suffix](
        pixels,
        offsets,
        mirror,
        image,
        numbers_of_channels("mean", mean, channels),
        numbers_of_channels("scale", scale, channels),
        height,
        width,
        swap_rb,
        -1 if flow_channel is None else flow_channel,
        memory_format == torch.channels_last,
        dtype,
    )
    return result


def _mean_image(mean: Tensor, pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mean per channel, or one per pixel, as (C, Y, X) in the dtype it is computed in."""
    check_floating("mean", mean)
    _, rows, columns, channels = pixels.shape
    image = (channels, rows, columns)
    if tuple(mean.shape) not in ((channels,), image):
        raise ValueError(
            f"mean: expected shape (C,) = ({channels},) or (C, Y, X) = {image}, "
            f"got {describe(mean)}"
        )
    if mean.device != pixels.device:
        raise ValueError(
            f"mean: expected a tensor on {pixels.device} like frames, got {describe(mean)}"
        )
    if mean.requires_grad and torch.is_grad_enabled():
        raise ValueError("mean: expected a tensor that needs no gradient, which there is none of")
    mean = mean.detach().to(torch.float64 if dtype == torch.float64 else torch.float32)
    return mean.view(channels, 1, 1).expand(image) if mean.dim() == 1 else mean
