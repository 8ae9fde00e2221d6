"""Definition of ``frames_to_input``: pixels cut out of frames, less the mean, times the scale."""

import torch
from torch import Tensor

from lrcn_fast.reference.lstm_cell import compute_dtype


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
    """Input of a convolution from frames of pixels (Caffe's DataTransformer).

    N frames of Y x X pixels, C channels.

    Args:
        frames: (N, Y, X, C) uint8, C 1..4.
        offsets: (N, 2) int64: row and column of the window's first pixel in each frame, moved to
            the nearest place inside it; the middle of the frame when None.
        mirror: (N,) bool: whether columns run backwards; no frame when None.
        mean_image: (C, Y, X), subtracted at the place of the pixel in the frame, in place of
            ``mean``.
        mean: C numbers.
        scale: C numbers.
        height, width: of the window.
        swap_rb: exchange channels 0 and 2. Means and scales are those of the channels after it.
        flow_channel: of the frames, whose pixels are 255 - pixel where mirrored; -1 for none.
        channels_last: memory format of the result.
        dtype: of the result; half types are computed in float32.

    Returns:
        (N, C, height, width).
    """
    count, rows, columns, channels = frames.shape
    device, compute = frames.device, compute_dtype(dtype)
    room = torch.tensor([rows - height, columns - width], device=device)
    corner = (room // 2).expand(count, 2)
    if offsets is not None:
        corner = torch.minimum(offsets.clamp(min=0), room)
    y = corner[:, :1] + torch.arange(height, device=device)
    x = corner[:, 1:] + torch.arange(width, device=device)
    if mirror is not None:
        x = torch.where(mirror[:, None], x.flip(1), x)
    y, x = y[:, :, None], x[:, None, :]
    pixels = frames[torch.arange(count, device=device)[:, None, None], y, x]
    if mirror is not None and flow_channel >= 0:
        inverted = torch.arange(channels, device=device) == flow_channel
        pixels = torch.where(mirror[:, None, None, None] & inverted, 255 - pixels, pixels)
    if swap_rb:
        pixels = pixels[..., [2, 1, 0, *range(3, channels)]]
    subtracted = torch.tensor(mean, dtype=compute, device=device)
    if mean_image is not None:
        subtracted = mean_image.permute(1, 2, 0)[y, x]
    values = (pixels.to(compute) - subtracted) * torch.tensor(scale, dtype=compute, device=device)
    result = values.new_empty(values.shape, dtype=dtype).copy_(values).permute(0, 3, 1, 2)
    return result if channels_last else result.clone(memory_format=torch.contiguous_format)
