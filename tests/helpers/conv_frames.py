"""Cases of conv_frames, and builders of their tensors."""

from dataclasses import dataclass
from typing import Any

import torch

from lrcn_fast.reference.lstm_cell import compute_dtype
from tests.helpers.frames import FrameCase, build_frames

OUTPUTS = 96
CAFFENET, HYBRID = (11, 4), (7, 2)


@dataclass(frozen=True)
class ConvCase:
    """Frames, and the filters' size and stride."""

    frames: FrameCase
    kernel: int
    stride: int
    k: float = 1.0

    def __str__(self) -> str:
        return f"{self.frames.name}_{self.kernel}x{self.kernel}"


CONV_CASES = [
    # Of 3 and of 4 rows and columns; windows that hang over the edge; more than one warp takes.
    ConvCase(FrameCase("least", 1, (19, 19), (19, 19), offsets=False), *CAFFENET),
    ConvCase(FrameCase("least", 1, (11, 12), (11, 12), offsets=False), *HYBRID),
    ConvCase(FrameCase("crop", 2, (40, 64), (35, 47), mirror=True), *CAFFENET),
    ConvCase(FrameCase("crop", 2, (24, 64), (20, 53), mirror=True), *HYBRID, k=2.0),
    ConvCase(FrameCase("planar", 2, (27, 30), (23, 27), layout="first"), *CAFFENET),
    ConvCase(FrameCase("gaps", 2, (16, 30), (15, 21), layout="gaps", mirror=True), *HYBRID),
    ConvCase(FrameCase("none", 0, (30, 30), (27, 27)), *CAFFENET),
]


def build_conv(
    case: ConvCase, dtype: torch.dtype, bias_dtype: torch.dtype = torch.float32
) -> tuple[Any, ...]:
    """Arguments of ``torch.ops.lrcn_fast.conv_frames``; weights as large as a net's on pixels.

    ``bias_dtype`` is one that the bias fits into, whatever dtype it comes in.
    """
    frames, offsets, mirror, *_ = build_frames(case.frames, dtype)
    generator = torch.Generator().manual_seed(sum(map(ord, str(case))))
    shape = (OUTPUTS, 3, case.kernel, case.kernel)
    weight = 0.01 * torch.randn(shape, generator=generator, dtype=torch.float64)
    bias = 10 * torch.randn(OUTPUTS, generator=generator, dtype=torch.float64)
    weight = weight.to(torch.bfloat16).to(dtype).contiguous(memory_format=torch.channels_last)
    bias = bias.to(bias_dtype).to(compute_dtype(dtype))
    return (
        frames,
        offsets,
        mirror,
        weight,
        bias,
        case.stride,
        *case.frames.size,
        1e-4,
        0.75,
        case.k,
    )
