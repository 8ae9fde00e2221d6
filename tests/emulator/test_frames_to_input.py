"""The CUDA kernel of frames_to_input, on the CPU: the bits of its definition."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast.reference import frames_to_input
from tests.emulator.arrays import as_it_lies, like, to_torch
from tests.emulator.module import emulator
from tests.helpers.frames import FRAME_CASES, FrameCase, build_frames
from tests.helpers.tolerance import assert_bitwise_equal

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
OFFSETS, HEIGHT, SWAP_RB, CHANNELS_LAST = 1, 6, 8, 10


def run(arguments: list[Any], dtype: torch.dtype) -> Tensor:
    pixels, offsets, mirror, image = map(as_it_lies, arguments[:4])
    mean, scale, height, width, *options = arguments[4:-1]
    count, channels = arguments[0].shape[0], arguments[0].shape[3]
    last = arguments[CHANNELS_LAST]
    shape = (count, height, width, channels) if last else (count, channels, height, width)
    result = like(dtype, *shape)
    emulator().frames_to_input(pixels, offsets, mirror, image, mean, scale, *options, result)
    return to_torch(result, dtype).permute(0, 3, 1, 2) if last else to_torch(result, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_case(case: FrameCase, dtype: torch.dtype) -> None:
    arguments = list(build_frames(case, dtype))
    expected = frames_to_input(*arguments)
    actual = run(arguments, dtype)
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), str(case))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("left", [0, 1, 16])
@pytest.mark.parametrize("layout, channels_last", [("last", True), ("first", False)])
def test_aligned_rows(layout: str, channels_last: bool, left: int, channels: int) -> None:
    """Windows at which 16 pixels come in one load, and others."""
    case = FrameCase(
        "aligned", 2, (3, 64), (2, 48), channels, layout, mirror=True, channels_last=channels_last
    )
    arguments = list(build_frames(case, torch.float32))
    arguments[OFFSETS] = torch.tensor([[0, left], [1, left]])
    actual = run(arguments, torch.float32)
    expected = frames_to_input(*arguments)
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), "input")


def test_windows_outside_the_frame_are_moved_inside() -> None:
    arguments = list(build_frames(next(c for c in FRAME_CASES if c.name == "crop"), torch.float32))
    arguments[OFFSETS] = torch.tensor([[-1, -(2**60)], [6, 15], [-7, 2**60], [2**40, 3]])
    actual = run(arguments, torch.float32)
    expected = frames_to_input(*arguments)
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), "input")


def test_a_window_larger_than_the_frame_is_found() -> None:
    arguments = list(build_frames(next(c for c in FRAME_CASES if c.name == "whole"), torch.float32))
    arguments[HEIGHT] += 1
    with pytest.raises(RuntimeError, match="out of bounds: global load.* buffer 'frames'"):
        run(arguments, torch.float32)
