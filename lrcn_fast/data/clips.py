"""Clips: windows of a video's frames, splits that share no frame, and time-major batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["CLIP_STEPS", "Segment", "split_in_time", "stack_clips"]

CLIP_STEPS = 16
"""Frames of a clip in the LRCN paper (section 4)."""


@dataclass(frozen=True)
class Segment:
    """Frames ``start`` to ``stop - 1`` of a video."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(
                f"expected 0 <= start < stop, got start {self.start} and stop {self.stop}"
            )

    def __len__(self) -> int:
        return self.stop - self.start

    def starts(self, steps: int = CLIP_STEPS, stride: int = 1, hop: int = 1) -> range:
        """First frames of all clips that fit.

        Args:
            steps: T, the frames of a clip.
            stride: frames from one step to the next.
            hop: frames from one clip's start to the next one's.

        Returns:
            The frame numbers, empty when the segment is shorter than a clip.
        """
        if min(steps, stride, hop) < 1:
            raise ValueError(
                f"steps, stride and hop: expected at least 1, got {steps}, {stride} and {hop}"
            )
        return range(self.start, self.stop - (steps - 1) * stride, hop)


def split_in_time(frames: int, test_fraction: float, gap: int) -> tuple[Segment, Segment]:
    """Split a video in time: training first, then a gap that nobody sees, then test.

    Args:
        frames: length of the video.
        test_fraction: share of the frames, at the end, that is kept for the test.
        gap: frames between the two.

    Returns:
        The training and the test segment.

    Raises:
        ValueError: nothing would be left of one of them.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction: expected 0 < fraction < 1, got {test_fraction}")
    if gap < 0:
        raise ValueError(f"gap: expected at least 0 frames, got {gap}")
    first_test = frames - round(frames * test_fraction)
    if first_test - gap < 1 or first_test >= frames:
        raise ValueError(
            f"frames: {frames} are too few for a test share of {test_fraction} and a gap of {gap}"
        )
    return Segment(0, first_test - gap), Segment(first_test, frames)


def stack_clips(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Batch clips of any length, time-major.

    Args:
        clips: each (T_i, C, Y, X), of one dtype and image size.

    Returns:
        frames (T, B, C, Y, X), zero past a clip's end, with T the longest; lengths (B,) int64.

    Raises:
        ValueError: no clip, an empty one, or differing image sizes or dtypes.
    """
    if not clips:
        raise ValueError("clips: expected at least one, got none")
    first = clips[0]
    for index, clip in enumerate(clips):
        if clip.dim() != 4 or clip.shape[0] < 1 or clip.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"clips[{index}]: expected (T, C, Y, X) like {tuple(first.shape)}, "
                f"got {tuple(clip.shape)}"
            )
        if clip.dtype != first.dtype:
            raise ValueError(f"clips[{index}]: expected {first.dtype}, got {clip.dtype}")
    lengths = torch.tensor([clip.shape[0] for clip in clips])
    return torch.nn.utils.rnn.pad_sequence(list(clips)), lengths
