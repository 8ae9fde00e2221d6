"""The experimental first layer on pixels, on the GPU, against its definition."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast import functional, reference
from tests.gpu.operators import require_op
from tests.helpers.conv_frames import CAFFENET, CONV_CASES, HYBRID, ConvCase, build_conv
from tests.helpers.frames import FrameCase
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

FRAMES = FrameCase("paper", 3, (240, 320), (227, 227), mirror=True)
ROWS = [*CONV_CASES, ConvCase(FRAMES, *CAFFENET), ConvCase(FRAMES, *HYBRID)]
HALVES = [torch.float16, torch.bfloat16]


def on(device: torch.device, case: ConvCase, dtype: torch.dtype) -> list[Any]:
    """The arguments on the GPU."""
    arguments = build_conv(case, dtype, torch.bfloat16)
    return [x.to(device) if isinstance(x, Tensor) else x for x in arguments]


@pytest.mark.parametrize("half", HALVES, ids=str)
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_case(case: ConvCase, half: torch.dtype, device: torch.device) -> None:
    op = require_op("conv_frames", "native", device, half)
    arguments = on(device, case, half)
    with poisoned_memory():
        actual = op(*arguments)
    expected = reference.conv_frames(*arguments)
    exact = reference.conv_frames(*on(device, case, torch.float64))
    assert actual.stride() == expected.stride()
    assert_no_worse_than_torch(actual, expected, exact, str(case))


@pytest.mark.parametrize("experimental", [False, True])
def test_by_the_function(experimental: bool, device: torch.device) -> None:
    require_op("conv_frames", "native", device, torch.bfloat16)
    frames, offsets, mirror, weight, bias, stride, *size, _, _, k = on(
        device, ROWS[-1], torch.bfloat16
    )
    actual = functional.conv_frames(
        frames,
        weight,
        bias,
        stride=stride,
        size=tuple(size),
        offsets=offsets,
        mirror=mirror,
        k=k,
        experimental=experimental,
    )
    arguments = on(device, ROWS[-1], torch.bfloat16)
    exact = reference.conv_frames(*on(device, ROWS[-1], torch.float64))
    assert_no_worse_than_torch(actual, reference.conv_frames(*arguments), exact, "output")
