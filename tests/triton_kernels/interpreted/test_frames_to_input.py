"""frames_to_input under the interpreter: the bits of its definition, and refusals."""

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import functional, reference
from tests.helpers.frames import FRAME_CASES, FrameCase, build_frames
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch
from tests.ops.test_frames_to_input import BAD, OFFSETS

OP = torch.ops.lrcn_fast.frames_to_input_triton
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_case(case: FrameCase, dtype: torch.dtype) -> None:
    arguments = build_frames(case, dtype)
    with poisoned_memory():
        actual = OP(*arguments)
    expected = reference.frames_to_input(*arguments)
    assert actual.stride() == expected.stride()
    if dtype != torch.bfloat16:
        assert_bitwise_equal(actual.contiguous(), expected.contiguous(), str(case))
        return
    # The interpreter cuts what the device rounds.
    exact = reference.frames_to_input(*build_frames(case, torch.float64))
    assert_no_worse_than_torch(actual, expected, exact, str(case))


@pytest.mark.parametrize("name", ["no_frame", "flow", "image_planar"])
def test_opcheck(name: str) -> None:
    case = next(case for case in FRAME_CASES if case.name == name)
    torch.library.opcheck(OP.default, build_frames(case, torch.float32))


def test_windows_outside_the_frame_are_moved_inside() -> None:
    arguments = list(build_frames(next(c for c in FRAME_CASES if c.name == "crop"), torch.float32))
    arguments[OFFSETS] = torch.tensor([[-1, -(2**60)], [6, 15], [-7, 2**60], [2**40, 3]])
    expected = reference.frames_to_input(*arguments)
    assert_bitwise_equal(OP(*arguments).contiguous(), expected.contiguous(), "input")


@pytest.mark.parametrize(
    "name", [name for name in BAD if name not in ("offsets low", "offsets high")]
)
def test_bad_argument(name: str) -> None:
    place, change, _ = BAD[name]
    case = next(case for case in FRAME_CASES if case.name == "crop")
    arguments = list(build_frames(case, torch.float32))
    arguments[place] = change(arguments[place])
    with pytest.raises((ValueError, TypeError), match=f"frames_to_input_triton.*{name.split()[0]}"):
        OP(*arguments)


def test_by_the_backend() -> None:
    frames = torch.arange(24, dtype=torch.uint8).view(1, 2, 4, 3)
    actual = functional.frames_to_input(frames, channel_dim=3, mean=2.0, backend="triton")
    expected = functional.frames_to_input(frames, channel_dim=3, mean=2.0, backend="reference")
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), "input")
