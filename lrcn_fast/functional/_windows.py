"""Checks of what the operators on frames share: the frames, and the window cut out of each."""

import torch
from torch import Tensor

from lrcn_fast._arguments import check_integers, describe

__all__ = ["check_mirror", "check_offsets", "check_size", "with_channels_last"]

_MOST_CHANNELS = 4


def with_channels_last(frames: object, channel_dim: int | None) -> Tensor:
    """Return the frames as (N, Y, X, C), a view."""
    if not isinstance(frames, Tensor) or frames.dtype != torch.uint8:
        raise TypeError(f"frames: expected a tensor of uint8, got {describe(frames)}")
    if frames.dim() != 4:
        raise ValueError(
            f"frames: expected 4 dimensions (N, Y, X, C) or (N, C, Y, X), got {describe(frames)}"
        )
    if channel_dim is None:
        found = [dim for dim in (1, 3) if 1 <= frames.shape[dim] <= _MOST_CHANNELS]
        if len(found) != 1:
            raise ValueError(
                "frames: expected 1..4 channels either in dimension 1 or in dimension 3, or the "
                f"argument channel_dim, got {describe(frames)}"
            )
        channel_dim = found[0]
    if channel_dim not in (1, 3, -1):
        raise ValueError(f"channel_dim: expected None, 1 or 3, got {channel_dim}")
    if not 1 <= frames.shape[channel_dim] <= _MOST_CHANNELS:
        raise ValueError(
            f"frames: expected 1..4 channels in dimension {channel_dim}, got {describe(frames)}"
        )
    return frames.permute(0, 2, 3, 1) if channel_dim == 1 else frames


def check_size(size: tuple[int, int] | None, rows: int, columns: int) -> tuple[int, int]:
    if size is None:
        size = rows, columns
    if not isinstance(size, tuple | list) or any(isinstance(n, float | str) for n in size):
        raise TypeError(f"size: expected a pair of integers (Y', X'), got {size!r}")
    if len(size) != 2 or not 1 <= size[0] <= rows or not 1 <= size[1] <= columns:
        raise ValueError(
            f"size: expected (Y', X') within (1, 1)..(Y, X) = ({rows}, {columns}), got {size}"
        )
    return size


def check_offsets(offsets: object, pixels: Tensor, height: int, width: int) -> Tensor:
    """Return the offsets as int64; values only looked at where that needs no waiting."""
    tensor = check_integers("offsets", offsets)
    count, rows, columns, _ = pixels.shape
    if tuple(tensor.shape) != (count, 2):
        raise ValueError(f"offsets: expected shape (N, 2) = ({count}, 2), got {describe(tensor)}")
    if tensor.device.type == "cpu" and not torch.compiler.is_compiling() and count > 0:
        low, high = (bound.tolist() for bound in torch.aminmax(tensor, dim=0))
        if min(low) < 0 or high[0] > rows - height or high[1] > columns - width:
            raise ValueError(
                "offsets: expected values within (0, 0)..(Y - Y', X - X') = "
                f"({rows - height}, {columns - width}), got {tuple(low)}..{tuple(high)}"
            )
    return tensor.to(device=pixels.device, dtype=torch.int64)


def check_mirror(mirror: object, pixels: Tensor) -> Tensor:
    if not isinstance(mirror, Tensor) or mirror.dtype != torch.bool:
        raise TypeError(f"mirror: expected a tensor of bools, got {describe(mirror)}")
    count = pixels.shape[0]
    if tuple(mirror.shape) != (count,):
        raise ValueError(f"mirror: expected shape (N,) = ({count},), got {describe(mirror)}")
    return mirror.to(device=pixels.device)
