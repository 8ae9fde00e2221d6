"""Video files are read by their time stamps, and what is no video is refused by name."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy
import pytest
import torch

from lrcn_fast.data import VideoError, iter_frames, read_video, stream_videos

LEVELS = [0, 40, 80, 120, 160, 200, 240, 20, 60, 100]
# Compression may shift a flat frame's brightness by a few of 255 levels; levels are 20 apart.
CODEC = 6


def write(path: Path, levels: list[int], ticks: list[int] | None = None) -> Path:
    """A 32x48 video of flat grey frames; ``ticks`` are their times in units of 1/20 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.codec_context.time_base = Fraction(1, 20)
        for tick, level in zip(ticks or range(len(levels)), levels, strict=True):
            image = numpy.full((32, 48, 3), level, numpy.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write(tmp_path / "film.mp4", LEVELS)


def brightness(frames: torch.Tensor) -> list[float]:
    return frames.double().flatten(1).mean(1).tolist()


def test_whole_video(film: Path) -> None:
    video = read_video(film)
    assert video.frames.shape == (10, 3, 32, 48)
    assert video.frames.dtype == torch.uint8
    assert brightness(video.frames) == pytest.approx(LEVELS, abs=CODEC)
    assert video.times.tolist() == pytest.approx([n / 20 for n in range(10)])


def test_resized_grey(film: Path) -> None:
    video = read_video(film, size=(8, 12), channels=1)
    assert video.frames.shape == (10, 1, 8, 12)
    assert brightness(video.frames) == pytest.approx(LEVELS, abs=CODEC)


def test_colours_and_rows_are_where_they_belong(tmp_path: Path) -> None:
    image = numpy.zeros((32, 48, 3), numpy.uint8)
    image[:16, :, 0] = 220
    image[16:, :, 2] = 220
    path = tmp_path / "colours.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    frame = read_video(path).frames[0].float()
    red_above, blue_below = frame[0, :12].mean(), frame[2, 20:].mean()
    assert min(red_above, blue_below) > 150
    assert max(frame[2, :12].mean(), frame[0, 20:].mean()) < 60


def test_half_the_rate_takes_every_second_frame(film: Path) -> None:
    video = read_video(film, fps=10)
    assert brightness(video.frames) == pytest.approx(LEVELS[::2], abs=CODEC)
    assert video.times.tolist() == pytest.approx([n / 10 for n in range(5)])


def test_uneven_time_stamps_are_followed(tmp_path: Path) -> None:
    film = write(tmp_path / "uneven.mp4", LEVELS[:4], ticks=[0, 1, 6, 8])
    shown = [0, 40, 40, 80, 120]
    video = read_video(film, fps=10)
    assert brightness(video.frames) == pytest.approx(shown, abs=CODEC)


def test_frames_come_one_at_a_time(film: Path) -> None:
    frames = iter_frames(film)
    seconds, frame = next(frames)
    assert seconds == 0
    assert frame.shape == (3, 32, 48)


def test_stream_marks_where_each_file_starts(film: Path, tmp_path: Path) -> None:
    second = write(tmp_path / "second.mp4", LEVELS[:5])
    pieces = list(stream_videos([film, second], 4, size=(8, 12)))
    assert [len(frames) for frames, _ in pieces] == [4, 4, 4, 3]
    frames = torch.cat([frames for frames, _ in pieces])
    cont = torch.cat([cont for _, cont in pieces])
    assert frames.shape == (15, 1, 3, 8, 12)
    assert brightness(frames[:, 0]) == pytest.approx(LEVELS + LEVELS[:5], abs=CODEC)
    assert (~cont[:, 0]).nonzero().flatten().tolist() == [0, 10]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.mp4"):
        read_video(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("content", [b"", b"this is no video" * 100])
def test_files_that_are_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"broken\.mp4: cannot be decoded"):
        read_video(path)


def test_truncated_file(film: Path) -> None:
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"film\.mp4"):
        read_video(film)


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            numpy.zeros((1, 800), numpy.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match=r"sound\.wav: the file has no video stream"):
        read_video(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": (0, 4)}, "size"), ({"fps": 0}, "fps"), ({"channels": 2}, "channels")],
)
def test_bad_options(film: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}: expected"):
        read_video(film, **options)  # type: ignore[arg-type]


def test_bad_steps(film: Path) -> None:
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        next(stream_videos([film], 0, size=(8, 8)))


def test_without_pyav(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install lrcn_fast\[video\]"):
        read_video(film)
