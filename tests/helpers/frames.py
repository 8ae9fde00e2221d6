"""The case rows that every frames_to_input has to get right, and builders of their tensors."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.reference.lstm_cell import compute_dtype


@dataclass(frozen=True)
class FrameCase:
    """One row: sizes and options of a call. Frozen, so usable as an id.

    ``layout`` says how the pixels lie: "last" (N, Y, X, C), "first" (N, C, Y, X), "gaps" in every
    dimension, "turned" (columns before rows), "still" (one picture as every frame).
    """

    name: str
    N: int
    frame: tuple[int, int]
    size: tuple[int, int]
    C: int = 3
    layout: str = "last"
    offsets: bool = True
    mirror: bool = False
    mean: str = "numbers"
    swap_rb: bool = False
    flow_channel: int = -1
    channels_last: bool = True

    def __str__(self) -> str:
        return self.name


FRAME_CASES = [
    FrameCase("whole", 2, (9, 20), (9, 20), offsets=False),
    FrameCase("middle", 3, (14, 31), (9, 16), offsets=False),
    FrameCase("crop", 4, (14, 31), (9, 17)),
    FrameCase("no_frame", 0, (8, 9), (5, 6), mirror=True),
    FrameCase("one_pixel", 2, (1, 1), (1, 1), mirror=True, swap_rb=True),
    FrameCase("one_column", 2, (7, 5), (7, 1), mirror=True),
    FrameCase("mirror", 5, (14, 41), (9, 33), mirror=True),
    FrameCase("swap", 3, (14, 41), (9, 33), swap_rb=True),
    FrameCase("swap_mirror", 5, (14, 41), (9, 33), mirror=True, swap_rb=True),
    FrameCase("planar", 3, (14, 41), (9, 33), mirror=True, swap_rb=True, channels_last=False),
    FrameCase("from_planar", 4, (12, 40), (8, 35), layout="first", mirror=True, swap_rb=True),
    FrameCase("planar_to_planar", 4, (12, 40), (8, 35), 3, "first", channels_last=False),
    FrameCase("planar_swap", 4, (12, 40), (8, 35), 3, "first", True, True, swap_rb=True),
    FrameCase("gaps", 4, (12, 24), (8, 21), layout="gaps", mirror=True, swap_rb=True),
    FrameCase("turned", 4, (12, 24), (8, 21), layout="turned", channels_last=False),
    FrameCase("still", 3, (12, 24), (8, 21), layout="still", mirror=True),
    FrameCase("grey", 3, (12, 50), (8, 35), C=1, mirror=True),
    FrameCase("flow_of_two", 5, (12, 50), (8, 35), 2, mirror=True, flow_channel=0),
    FrameCase("flow", 5, (12, 50), (8, 35), 3, mirror=True, flow_channel=0, swap_rb=True),
    FrameCase("flow_planar", 5, (12, 50), (8, 35), 3, "first", True, True, flow_channel=2),
    FrameCase("flow_still", 3, (12, 50), (8, 35), 3, flow_channel=1),
    FrameCase("four", 3, (12, 50), (8, 35), 4, mirror=True, swap_rb=True),
    FrameCase("four_planar", 3, (12, 50), (8, 35), 4, "first", True, True, channels_last=False),
    FrameCase("image", 3, (12, 50), (8, 35), mirror=True, mean="image"),
    FrameCase("image_planar", 3, (12, 50), (8, 35), mean="image", channels_last=False),
    FrameCase("mean_tensor", 3, (12, 50), (8, 35), mirror=True, mean="tensor", swap_rb=True),
    FrameCase("wide", 1, (2, 1999), (2, 1963), mirror=True, swap_rb=True, mean="image"),
    FrameCase("wide_planar", 2, (1, 1000), (1, 970), layout="first", mirror=True),
]


def laid_out(pixels: Tensor, layout: str) -> Tensor:
    """The same pixels (N, Y, X, C) in memory as a layout says; other bytes lie in the gaps."""
    N, Y, X, C = pixels.shape
    if layout == "first":
        return pixels.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    if layout == "turned":
        return pixels.transpose(1, 2).contiguous().transpose(1, 2)
    if layout == "still":
        return pixels[:1].expand_as(pixels)
    if layout == "gaps":
        wide = torch.full((N + 1, 2 * Y, X + 3, C + 2), 77, dtype=torch.uint8)
        view = wide[:N, ::2, 2 : X + 2, 1 : C + 1]
        return view.copy_(pixels)
    return pixels.contiguous()


def build_frames(case: FrameCase, dtype: torch.dtype, seed: int = 0) -> tuple[Any, ...]:
    """Arguments of ``torch.ops.lrcn_fast.frames_to_input`` for a case."""
    generator = torch.Generator().manual_seed(seed * 1000 + sum(map(ord, case.name)))
    (Y, X), (height, width), N, C = case.frame, case.size, case.N, case.C

    def integers(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    def real(*shape: int) -> Tensor:
        values = 255 * torch.rand(*shape, generator=generator, dtype=torch.float64)
        return values.to(compute_dtype(dtype))

    offsets = mirror = image = None
    if case.offsets:
        room = (Y - height + 1, X - width + 1)
        offsets = torch.stack([integers(count, N) for count in room], 1)
        if N > 1:
            offsets[0], offsets[1] = torch.zeros(2), torch.tensor(room) - 1
    if case.mirror:
        mirror = integers(2, N) > 0
        mirror[:2] = torch.tensor([True, False])[:N]
    if case.mean != "numbers":
        image = real(C, Y, X) if case.mean == "image" else real(C, 1, 1).expand(C, Y, X)
    pixels = integers(256, N, Y, X, C).to(torch.uint8)
    return (
        laid_out(pixels, case.layout),
        offsets,
        mirror,
        image,
        real(C).tolist(),
        (1 / (1 + real(C))).tolist(),
        height,
        width,
        case.swap_rb,
        case.flow_channel,
        case.channels_last,
        dtype,
    )
