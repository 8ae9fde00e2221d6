"""Segments, splits in time and time-major batches."""

import pytest
import torch

from lrcn_fast.data import CLIP_STEPS, Segment, split_in_time, stack_clips


def test_a_clip_has_the_papers_length() -> None:
    assert CLIP_STEPS == 16


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_starts_are_all_that_fit(stride: int) -> None:
    segment = Segment(10, 40)
    starts = segment.starts(5, stride)
    assert starts[0] == 10
    assert starts[-1] + 4 * stride == 39
    assert list(segment.starts(5, stride, hop=4)) == list(starts)[::4]
    assert len(Segment(0, 4).starts(5)) == 0


@pytest.mark.parametrize("frames", [30, 120, 251])
def test_split_shares_no_frame_and_keeps_the_gap(frames: int) -> None:
    train, test = split_in_time(frames, 0.4, gap=4)
    assert train.start == 0
    assert test.stop == frames
    assert test.start - train.stop == 4
    assert len(test) == round(0.4 * frames)


@pytest.mark.parametrize(
    ("frames", "fraction", "gap", "message"),
    [
        (100, 0.0, 4, "test_fraction"),
        (100, 1.0, 4, "test_fraction"),
        (100, 0.5, -1, "gap"),
        (10, 0.5, 5, "frames: 10 are too few"),
        (10, 0.01, 0, "frames: 10 are too few"),
    ],
)
def test_bad_splits(frames: int, fraction: float, gap: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_in_time(frames, fraction, gap)


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (4, 4), (5, 4)])
def test_bad_segments(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="start"):
        Segment(start, stop)


def test_bad_starts() -> None:
    with pytest.raises(ValueError, match="stride"):
        Segment(0, 9).starts(4, 0)


def test_clips_are_stacked_time_major_and_padded_with_zeros() -> None:
    clips = [torch.randint(1, 255, (n, 3, 4, 5), dtype=torch.uint8) for n in (2, 5, 3)]
    frames, lengths = stack_clips(clips)
    assert frames.shape == (5, 3, 3, 4, 5)
    assert frames.dtype == torch.uint8
    assert lengths.tolist() == [2, 5, 3]
    for row, clip in enumerate(clips):
        assert torch.equal(frames[: len(clip), row], clip)
        assert not frames[len(clip) :, row].any()


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "at least one"),
        ([torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 5, 4)], r"clips\[1\]: expected"),
        ([torch.zeros(0, 3, 4, 5)], r"clips\[0\]"),
        ([torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2).double()], r"clips\[1\]: .*float32"),
    ],
)
def test_bad_clips(clips: list[torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stack_clips(clips)
