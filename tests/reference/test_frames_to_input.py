"""The definition of frames_to_input against what a user would write, one frame at a time."""

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.helpers.frames import FRAME_CASES, FrameCase, build_frames
from tests.helpers.tolerance import assert_bitwise_equal

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def frame_by_frame(case: FrameCase, dtype: torch.dtype) -> Tensor:
    """The same by slicing, flipping and float arithmetic."""
    pixels, offsets, mirror, image, mean, scale, height, width, *_ = build_frames(case, dtype)
    compute = torch.float64 if dtype == torch.float64 else torch.float32
    factors = torch.tensor(scale, dtype=compute)[:, None, None]
    means = torch.tensor(mean, dtype=compute)[:, None, None].expand(case.C, *case.frame)
    means = means if image is None else image
    results = []
    for n in range(case.N):
        top, left = [(whole - part) // 2 for whole, part in zip(case.frame, case.size, strict=True)]
        if offsets is not None:
            top, left = offsets[n].tolist()
        mirrored = mirror is not None and bool(mirror[n])
        planes = [pixels[n, :, :, c].to(compute) for c in range(case.C)]
        if mirrored and case.flow_channel >= 0:
            planes[case.flow_channel] = 255 - planes[case.flow_channel]
        if case.swap_rb:
            planes[0], planes[2] = planes[2], planes[0]
        window = (slice(None), slice(top, top + height), slice(left, left + width))
        values = (torch.stack(planes)[window] - means[window]) * factors
        results.append((values.flip(2) if mirrored else values).to(dtype))
    if not results:
        return torch.empty(0, case.C, height, width, dtype=dtype)
    memory_format = torch.channels_last if case.channels_last else torch.contiguous_format
    return torch.stack(results).contiguous(memory_format=memory_format)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_values(case: FrameCase, dtype: torch.dtype) -> None:
    actual = reference.frames_to_input(*build_frames(case, dtype))
    expected = frame_by_frame(case, dtype)
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), "input")
    memory_format = torch.channels_last if case.channels_last else torch.contiguous_format
    assert actual.is_contiguous(memory_format=memory_format)


def test_windows_outside_the_frame_are_moved_inside() -> None:
    arguments = list(build_frames(next(c for c in FRAME_CASES if c.name == "crop"), torch.float32))
    inside = torch.tensor([[0, 0], [5, 14], [0, 14], [5, 3]])
    outside = torch.tensor([[-1, -(2**60)], [6, 15], [-7, 2**60], [2**40, 3]])
    results = []
    for offsets in (inside, outside):
        arguments[1] = offsets
        results.append(reference.frames_to_input(*arguments))
    assert_bitwise_equal(results[0].contiguous(), results[1].contiguous(), "input")
