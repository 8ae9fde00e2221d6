"""Rows of frames_to_input: pixels to conv1's input, a window and a mirror for each frame."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from .rows import OURS, TORCH, Problem, Results, Row

BYTES_FIRST = "torch, bytes first"
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
FRAME, WINDOW = (240, 320), (227, 227)


def _windows(frames: Tensor, offsets: Tensor, mirror: Tensor, size: tuple[int, int]) -> Tensor:
    """The windows of frames (N, Y, X, C), one after the other."""
    windows = []
    for frame, (top, left), mirrored in zip(frames, offsets.tolist(), mirror.tolist(), strict=True):
        window = frame[top : top + size[0], left : left + size[1]]
        windows.append(window.flip(1) if mirrored else window)
    return torch.stack(windows)


def build(
    dtype: torch.dtype,
    count: int = 16,
    frame: tuple[int, int] = FRAME,
    size: tuple[int, int] = WINDOW,
    device: str = "cpu",
) -> Problem:
    """``count`` RGB frames, half of them mirrored."""
    from lrcn_fast.functional import frames_to_input

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, *frame, 3), generator=generator).to(device, torch.uint8)
    room = [whole - part + 1 for whole, part in zip(frame, size, strict=True)]
    offsets = torch.stack([torch.randint(n, (count,), generator=generator) for n in room], 1)
    mirror = torch.arange(count) % 2 == 0
    mean, std = (torch.tensor(values, device=device) for values in (MEAN, STD))
    # The chain cuts on the host, and may have the places there; the operator reads them itself.
    own = {"offsets": offsets.to(device), "mirror": mirror.to(device)}

    def chain() -> Results:
        x = pixels.permute(0, 3, 1, 2).float()
        x = (x - mean[:, None, None]) / std[:, None, None]
        x = _windows(x.permute(0, 2, 3, 1), offsets, mirror, size).permute(0, 3, 1, 2)
        return {"input": x.to(dtype).contiguous(memory_format=torch.channels_last)}

    def bytes_first() -> Results:
        x = _windows(pixels, offsets, mirror, size).float().sub_(mean).div_(std)
        return {"input": x.to(dtype).permute(0, 3, 1, 2)}

    def ours() -> Results:
        scale = [1 / value for value in STD]
        options = {"mean": MEAN, "scale": scale, **own}
        return {"input": frames_to_input(pixels, size=size, dtype=dtype, **options)}

    exact = (_windows(pixels, offsets, mirror, size).double() - mean.double()) / std.double()
    values = exact.numel()
    return Problem(
        {OURS: ours, TORCH: chain, BYTES_FIRST: bytes_first},
        {"input": exact.permute(0, 3, 1, 2)},
        values + values * dtype.itemsize,
    )


ROWS = tuple(
    Row(
        f"frames-{name}",
        f"16 frames of 240 x 320 pixels to 227 x 227, {name}",
        functools.partial(build, dtype=getattr(torch, name)),
        least=3.0,
    )
    for name in ("float32", "bfloat16")
)
