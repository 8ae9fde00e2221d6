"""frames_to_input of the native extension: the bits of its definition, on every instruction set."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.frames import FRAME_CASES, FrameCase, build_frames
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal

OP = torch.ops.lrcn_fast.frames_to_input
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
LAYOUTS = ("last", "first", "gaps", "turned", "still")


def check(case: FrameCase, dtype: torch.dtype) -> None:
    arguments = build_frames(case, dtype)
    with poisoned_memory():
        actual = OP(*arguments)
    expected = reference.frames_to_input(*arguments)
    assert actual.stride() == expected.stride()
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), str(case))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_case(case: FrameCase, dtype: torch.dtype, isa: str) -> None:
    check(case, dtype)


@st.composite
def cases(draw: st.DrawFn) -> FrameCase:
    """Any small call; some as wide as the pieces in which a row passes."""
    Y, C = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    X = draw(st.one_of(st.integers(1, 70), st.integers(950, 980)))
    return FrameCase(
        "any",
        N=draw(st.integers(0, 4)),
        frame=(Y, X),
        size=(draw(st.integers(1, Y)), draw(st.integers(max(1, X - 9), X))),
        C=C,
        layout=draw(st.sampled_from(LAYOUTS)),
        offsets=draw(st.booleans()),
        mirror=draw(st.booleans()),
        mean=draw(st.sampled_from(["numbers", "tensor", "image"])),
        swap_rb=C > 2 and draw(st.booleans()),
        flow_channel=draw(st.integers(-1, C - 1)),
        channels_last=draw(st.booleans()),
    )


@given(case=cases(), dtype=st.sampled_from(DTYPES))
def test_any_case(case: FrameCase, dtype: torch.dtype, isa: str) -> None:
    check(case, dtype)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads(threads: int, isa: str) -> None:
    case = FrameCase("threads", 5, (120, 200), (101, 190), mirror=True, swap_rb=True)
    torch.set_num_threads(threads)
    check(case, torch.float32)


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("case", FRAME_CASES, ids=str)
def test_opcheck(case: FrameCase, suffix: str) -> None:
    op = getattr(torch.ops.lrcn_fast, f"frames_to_input{suffix}").default
    torch.library.opcheck(op, build_frames(case, torch.float32))


FRAMES, OFFSETS, MIRROR, IMAGE, MEAN, SCALE, HEIGHT, WIDTH, SWAP, FLOW, LAST, DTYPE = range(12)
BAD = {
    "frames rank": (FRAMES, lambda frames: frames[0], "frames.*4 dimensions"),
    "frames dtype": (FRAMES, lambda frames: frames.float(), "frames.*float32"),
    "channels": (FRAMES, lambda frames: frames.repeat(1, 1, 1, 2), "frames.*1 to 4 channels"),
    "offsets shape": (OFFSETS, lambda offsets: offsets[:1], "offsets"),
    "offsets dtype": (OFFSETS, lambda offsets: offsets.int(), "offsets.*int64.*int32"),
    "offsets low": (OFFSETS, lambda offsets: offsets - 1, r"offsets.*\(5, 14\).*\(-1, -1\)"),
    "offsets high": (OFFSETS, lambda offsets: offsets + 2**40, "offsets.*frame 0"),
    "mirror shape": (MIRROR, lambda _: torch.zeros(3, dtype=torch.bool), "mirror"),
    "mirror dtype": (MIRROR, lambda _: torch.zeros(4), "mirror.*bool.*float32"),
    "image shape": (IMAGE, lambda _: torch.zeros(3, 14, 30), "mean_image"),
    "image dtype": (IMAGE, lambda _: torch.zeros(3, 14, 31).double(), "mean_image.*float64"),
    "mean": (MEAN, lambda mean: mean[:2], "mean.*3 numbers, got 2"),
    "scale": (SCALE, lambda scale: scale * 2, "scale.*3 numbers, got 6"),
    "height": (HEIGHT, lambda _: 15, "height.*15"),
    "width": (WIDTH, lambda _: 0, "width.*0"),
    "flow": (FLOW, lambda _: 3, "flow_channel.*3"),
    "dtype": (DTYPE, lambda _: torch.int32, "dtype.*int32"),
}


@pytest.mark.parametrize("place, change, words", BAD.values(), ids=list(BAD))
def test_bad_argument(place: int, change: object, words: str) -> None:
    case = next(case for case in FRAME_CASES if case.name == "crop")
    arguments = list(build_frames(case, torch.float32))
    arguments[place] = change(arguments[place])
    with pytest.raises(RuntimeError, match=f"(?s)lrcn_fast::frames_to_input.*{words}"):
        OP(*arguments)


def test_two_channels_cannot_be_swapped() -> None:
    case = FrameCase("two", 1, (4, 5), (4, 5), C=2, swap_rb=True)
    with pytest.raises(RuntimeError, match="swap_rb.*3 or 4 channels"):
        OP(*build_frames(case, torch.float32))


@pytest.mark.parametrize("mirrored", [False, True])
def test_choices_of_frames_may_have_gaps(mirrored: bool) -> None:
    """Offsets and mirror are copied where they are not contiguous, and the copies are kept."""
    case = FrameCase("gaps", N=40, frame=(6, 9), size=(4, 5), mirror=mirrored)
    frames, offsets, mirror, *rest = build_frames(case, torch.float32)
    expected = OP(frames, offsets, mirror, *rest)
    offsets = offsets.repeat_interleave(2, 0)[::2]
    mirror = None if mirror is None else mirror.repeat_interleave(3)[::3]
    with poisoned_memory():
        actual = OP(frames, offsets, mirror, *rest)
    assert_bitwise_equal(actual.contiguous(), expected.contiguous(), "input")
