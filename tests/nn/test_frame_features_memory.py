"""Counted memory: with chunks and recomputation it does not grow with the clips."""

from collections.abc import Callable

import torch

from lrcn_fast.nn import FrameFeatures, HybridNet
from tests.helpers.live_memory import LiveBytes, peak_bytes

SIZE = (69, 85)
F = 32
STEPS = (4, 16)
"""A short and a long clip."""
FEATURE_BYTES = 4 * F * (STEPS[1] - STEPS[0])
"""What the longer clip's features have more."""


def net() -> HybridNet:
    return HybridNet("fc6", width=1 / 12, fc6=F, image_size=SIZE, dropout=0.5)


def training(features: FrameFeatures, steps: int) -> Callable[[], None]:
    frames = torch.randn(steps, 1, 3, *SIZE)

    def run() -> None:
        features(frames).square().sum().backward()

    # The gradients of the parameters stay where they are from now on.
    run()
    return run


def growth(max_frames: int | None, recompute: bool) -> int:
    """Bytes by which the peak of the longer clip is above that of the shorter one."""
    features = FrameFeatures(net(), max_frames=max_frames, recompute=recompute)
    short, long = (peak_bytes(training(features, steps)) for steps in STEPS)
    return long - short


def test_the_count_is_alive() -> None:
    with LiveBytes() as live:
        x = torch.zeros(1000)
        y = x.view(10, 100) + 1
        assert live.now == 8000
        del x, y
        assert live.now == 0
    assert live.peak == 8000


def test_training_memory_is_bounded() -> None:
    # Of every chunk of two frames, features and the state of the generator of random numbers.
    little = 16 * FEATURE_BYTES + (STEPS[1] - STEPS[0]) // 2 * torch.get_rng_state().nbytes
    assert growth(max_frames=2, recompute=True) <= little
    # The activations of one frame are about 100 KB.
    assert growth(max_frames=None, recompute=True) > 10 * little
    assert growth(max_frames=2, recompute=False) > 10 * little


def test_inference_memory_is_bounded() -> None:
    frames = torch.randn(16, 1, 3, *SIZE)
    features = FrameFeatures(net())
    with torch.inference_mode():
        whole = peak_bytes(lambda: features(frames))
        features.max_frames = 2
        chunks = peak_bytes(lambda: features(frames))
    assert chunks < whole / 6


def test_padded_frames_are_gathered_chunk_by_chunk() -> None:
    frames = torch.randn(16, 2, 3, *SIZE)
    features = FrameFeatures(net(), max_frames=2, recompute=True)
    lengths = torch.tensor([16, 9])
    with torch.inference_mode():
        assert peak_bytes(lambda: features(frames, lengths=lengths)) < frames.nbytes / 4
