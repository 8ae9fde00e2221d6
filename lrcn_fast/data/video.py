"""Read video files through PyAV: whole, resized, sampled by time, or as an endless stream.

PyAV is looked for when a file is read, so importing this module needs torch alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrcn_fast._files import StrPath

__all__ = ["Video", "VideoError", "iter_frames", "read_video", "stream_videos"]

CLOCK = 1e-6
PIXEL_FORMATS = {1: "gray", 3: "rgb24"}


class VideoError(RuntimeError):
    """A file that cannot be read as video; the message names it."""


@dataclass(frozen=True)
class Video:
    """A decoded video.

    Attributes:
        frames: (N, C, Y, X) uint8, RGB or grey.
        times: (N,) float64, seconds from the first frame at which each one is shown.
    """

    frames: Tensor
    times: Tensor


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ImportError(
            "reading video needs PyAV, which is not installed: pip install lrcn_fast[video]"
        ) from error
    return av


def _check(size: tuple[int, int] | None, fps: float | None, channels: int) -> None:
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"size: expected (height, width) of at least 1, got {size}")
    if fps is not None and not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    if channels not in PIXEL_FORMATS:
        raise ValueError(f"channels: expected 1 (grey) or 3 (RGB), got {channels}")


def _shown_frames(av: Any, path: str) -> Iterator[tuple[float, Any]]:
    """(seconds since the first frame, PyAV frame) in the order of presentation."""
    with av.open(path) as container:
        if not container.streams.video:
            raise VideoError(f"{path}: the file has no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        first = None
        for frame in container.decode(stream):
            if frame.pts is None:
                raise VideoError(f"{path}: a frame has no time stamp; remux the file first")
            seconds = float(frame.pts * frame.time_base)
            first = seconds if first is None else first
            yield seconds - first, frame


def _sampled(shown: Iterable[tuple[float, Any]], fps: float | None) -> Iterator[tuple[float, Any]]:
    """At every multiple of 1/fps, the frame on the screen then; all frames without ``fps``."""
    if fps is None:
        yield from shown
        return
    tick, last, current = 0, 0.0, None
    for seconds, frame in shown:
        # Sums of rounded time stamps must not decide which frame is shown at a tick.
        while current is not None and tick / fps < seconds - CLOCK:
            yield tick / fps, current
            tick += 1
        last, current = seconds, frame
    if current is not None and tick / fps < last + CLOCK:
        yield tick / fps, current


def iter_frames(
    path: StrPath,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    channels: int = 3,
) -> Iterator[tuple[float, Tensor]]:
    """Decode a video one frame at a time, however long it is.

    Args:
        path: the file.
        size: (Y, X) in pixels to scale every frame to; None keeps the video's own.
        fps: frames per second to sample, by the frames' time stamps; None gives every frame.
        channels: 3 for RGB, 1 for grey.

    Yields:
        (seconds from the first frame, (C, Y, X) uint8).

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: PyAV is not installed.
        VideoError: the file is empty, damaged, or no video.
        ValueError: ``size``, ``fps`` or ``channels`` make no sense.
    """
    _check(size, fps, channels)
    name = fspath(path)
    if not Path(name).is_file():
        raise FileNotFoundError(f"{name}: no such video file")
    av = _av()
    target = {} if size is None else {"height": size[0], "width": size[1]}
    count = 0
    try:
        for seconds, frame in _sampled(_shown_frames(av, name), fps):
            pixels = frame.reformat(format=PIXEL_FORMATS[channels], **target).to_ndarray()
            image = torch.from_numpy(pixels)
            yield seconds, image.unsqueeze(0) if channels == 1 else image.permute(2, 0, 1)
            count += 1
    except av.FFmpegError as error:
        raise VideoError(f"{name}: cannot be decoded after {count} frames: {error}") from error
    if count == 0:
        raise VideoError(f"{name}: the file holds no frame")


def read_video(
    path: StrPath,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    channels: int = 3,
) -> Video:
    """Decode a whole video into memory; arguments and errors as in :func:`iter_frames`."""
    times, frames = zip(*iter_frames(path, size=size, fps=fps, channels=channels), strict=True)
    return Video(torch.stack(frames), torch.tensor(times, dtype=torch.float64))


def stream_videos(
    paths: Iterable[StrPath],
    steps: int,
    *,
    size: tuple[int, int],
    fps: float | None = None,
    channels: int = 3,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Play videos one after the other as one endless stream for a model that carries its state.

    Memory holds one piece, not a video. A piece may end one video and start the next.

    Args:
        paths: the files, in order.
        steps: T of a piece; the last one may be shorter.
        size: (Y, X) in pixels to scale every frame to.
        fps: frames per second to sample; None gives every frame.
        channels: 3 for RGB, 1 for grey.

    Yields:
        frames (T, 1, C, Y, X) uint8 and cont (T, 1) bool, False on the first frame of each file.

    Raises:
        ValueError: ``steps`` is below 1; the others as in :func:`iter_frames`.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    frames: list[Tensor] = []
    cont: list[bool] = []
    for path in paths:
        for index, (_, frame) in enumerate(
            iter_frames(path, size=size, fps=fps, channels=channels)
        ):
            frames.append(frame)
            cont.append(index > 0)
            if len(frames) == steps:
                yield torch.stack(frames).unsqueeze(1), torch.tensor(cont).unsqueeze(1)
                frames, cont = [], []
    if frames:
        yield torch.stack(frames).unsqueeze(1), torch.tensor(cont).unsqueeze(1)
