"""FrameFeatures is the plain loop over the valid frames, whatever the chunks and the padding."""

import pickle
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lrcn_fast.functional import frames_to_input
from lrcn_fast.nn import FrameFeatures, HybridNet
from tests.helpers import torchvision
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

C, Y, X, F = 2, 7, 6, 5


def small_net(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(3)
    convolution = nn.Conv2d(C, 4, 3, stride=2)
    linear = nn.Linear(4 * 3 * 2, F)
    return nn.Sequential(
        convolution, nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), linear, nn.Tanh()
    ).double()


def clips(T: int, B: int) -> Tensor:
    return torch.randn(T, B, C, Y, X, dtype=torch.float64)


def loop(net: nn.Module, frames: Tensor, valid: Tensor) -> Tensor:
    """(T, B, F): one frame at a time."""
    rows = []
    for t, b in torch.cartesian_prod(torch.arange(len(frames)), torch.arange(frames.shape[1])):
        feature = net(frames[t, b].unsqueeze(0)).flatten()
        rows.append(feature if valid[t, b] else torch.zeros_like(feature))
    return torch.stack(rows).view(*frames.shape[:2], -1)


def valid_steps(lengths: Tensor, T: int) -> Tensor:
    return torch.arange(T).unsqueeze(1) < lengths


def contiguous(x: Tensor) -> Tensor:
    return x.contiguous()


def swapped(x: Tensor) -> Tensor:
    return x.transpose(0, 1).contiguous().transpose(0, 1)


def spread(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 1)[:, ::2]


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)


@given(
    T=st.integers(1, 5),
    B=st.integers(1, 4),
    which=st.sampled_from(["all", "lengths", "mask"]),
    layout=st.sampled_from([contiguous, swapped, spread, channels_last]),
    max_frames=st.sampled_from([None, 1, 2, 3, 7, 100]),
    recompute=st.booleans(),
    batch_first=st.booleans(),
    wants_frames=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_the_loop(
    T: int,
    B: int,
    which: str,
    layout: Any,
    max_frames: int | None,
    recompute: bool,
    batch_first: bool,
    wants_frames: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    net = small_net()
    lengths = torch.randint(0, T + 1, (B,))
    mask = torch.rand(T, B) > 0.4
    padding = {"all": {}, "lengths": {"lengths": lengths}, "mask": {"mask": mask}}[which]
    valid = {"all": torch.ones(T, B) > 0, "lengths": valid_steps(lengths, T), "mask": mask}[which]
    frames = clips(T, B).requires_grad_(wants_frames)
    weight = torch.randn(T, B, F, dtype=torch.float64)
    leaves = [*net.parameters(), *([frames] if wants_frames else [])]
    expected = loop(net, frames, valid)
    wanted = torch.autograd.grad((expected * weight).sum(), leaves)

    given_frames = layout(frames)
    if batch_first:
        given_frames = given_frames.transpose(0, 1)
        padding = {"mask": mask.T} if which == "mask" else padding
    features = FrameFeatures(
        net, max_frames=max_frames, recompute=recompute, batch_first=batch_first
    )
    actual = features(given_frames, **padding)
    actual = actual.transpose(0, 1) if batch_first else actual
    assert_equal_to_oracle(actual, expected, "features")
    if not valid.any():
        assert not actual.requires_grad
        return
    found = torch.autograd.grad((actual * weight).sum(), leaves)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_equal_to_oracle(ours, theirs, "gradient", GRADIENT)


def test_padding_is_neither_read_nor_computed() -> None:
    net, frames = small_net(), clips(5, 3)
    lengths = torch.tensor([2, 0, 4])
    frames[~valid_steps(lengths, 5)] = float("nan")
    seen: list[int] = []
    net.register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    features = FrameFeatures(net, max_frames=4)(frames, lengths=lengths)
    assert seen == [4, 2]
    assert bool(features.isfinite().all())
    assert not features[~valid_steps(lengths, 5)].any()


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (0, 0), (2, 2)])
def test_no_frame_that_counts(size: tuple[int, int]) -> None:
    net = nn.Sequential(nn.BatchNorm2d(C), small_net(0.5)).double()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    lengths = torch.zeros(size[1], dtype=torch.int64)
    features = FrameFeatures(net)(clips(*size), lengths=lengths)
    assert features.shape == (*size, F)
    assert not features.any()
    assert net.training and net[1].training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("max_frames", [None, 2])
def test_recomputation_drops_the_same_values(max_frames: int | None) -> None:
    net, frames = small_net(dropout=0.5), clips(4, 2)
    found = []
    for recompute in (False, True):
        torch.manual_seed(8)
        features = FrameFeatures(net, max_frames=max_frames, recompute=recompute)(frames)
        torch.randn(3)
        gradients = torch.autograd.grad(features.square().sum(), [*net.parameters()])
        found.append([features, *gradients])
    for plain, again in zip(*found, strict=True):
        assert torch.equal(plain, again)


def test_frozen_net_keeps_nothing() -> None:
    net, frames = small_net(), clips(4, 2)
    kept: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        for recompute in (False, True):
            features = FrameFeatures(net.requires_grad_(False), recompute=recompute)
            assert not features(frames, lengths=torch.tensor([3, 1])).requires_grad
        assert kept == []
        FrameFeatures(net.requires_grad_(True))(frames)
        assert kept


def test_batch_statistics_are_of_the_valid_frames() -> None:
    net = nn.Sequential(nn.BatchNorm2d(C), nn.Flatten()).double()
    twin = nn.Sequential(nn.BatchNorm2d(C), nn.Flatten()).double()
    frames, mask = clips(4, 3), torch.rand(4, 3) > 0.4
    actual = FrameFeatures(net)(frames, mask=mask)
    assert_equal_to_oracle(actual[mask], twin(frames[mask]), "features")
    assert torch.equal(net[0].running_mean, twin[0].running_mean)


def test_preprocess_gets_the_pixels_and_options_of_its_frames() -> None:
    net = small_net()
    pixels = torch.randint(0, 256, (4, 3, Y + 2, X + 1, C), dtype=torch.uint8)
    top = torch.randint(0, 3, (4, 3))

    def crop(frames: Tensor, *, top: Tensor) -> Tensor:
        assert len(frames) == len(top) <= 2
        cropped = [x[y : y + Y, :X] for x, y in zip(frames, top.tolist())]
        return torch.stack(cropped).permute(0, 3, 1, 2).double() / 64 - 2

    lengths = torch.tensor([4, 1, 2])
    features = FrameFeatures(net, preprocess=crop, max_frames=2)
    images = torch.stack(
        [crop(pixels[t : t + 1, b], top=top[t : t + 1, b]) for t in range(4) for b in range(3)]
    ).view(4, 3, C, Y, X)
    expected = loop(net, images, valid_steps(lengths, 4))
    assert_equal_to_oracle(features(pixels, lengths=lengths, top=top), expected, "features")
    assert features(pixels[:0], top=top[:0]).shape == (0, 3, F)


@pytest.mark.parametrize("channels_first", [False, True])
def test_pixels_become_images_on_the_way(channels_first: bool) -> None:
    net = small_net()
    pixels = torch.randint(0, 256, (4, 3, Y + 4, X + 3, C), dtype=torch.uint8)
    offsets, mirror = torch.randint(0, 4, (4, 3, 2)), torch.rand(4, 3) > 0.5
    lengths = torch.tensor([0, 4, 3])
    convert = partial(
        frames_to_input, size=(Y, X), mean=(90.0, 110.0), scale=1 / 64, dtype=torch.float64
    )
    images = convert(pixels.flatten(0, 1), offsets=offsets.flatten(0, 1), mirror=mirror.flatten())
    expected = loop(net, images.unflatten(0, (4, 3)), valid_steps(lengths, 4))
    features = pickle.loads(pickle.dumps(FrameFeatures(net, preprocess=convert, max_frames=2)))
    given_pixels = pixels.movedim(4, 2).contiguous() if channels_first else pixels
    actual = features(given_pixels, lengths=lengths, offsets=offsets, mirror=mirror)
    assert_equal_to_oracle(actual, expected, "features")


@pytest.mark.parametrize("headless", [False, True])
def test_torchvisions_backbones(headless: bool) -> None:
    net = torchvision.models().resnet18(num_classes=6).double().eval()
    if headless:
        # (N, 512, 1, 1), as the pooling leaves it.
        net = nn.Sequential(*list(net.children())[:-1])
    frames = torch.randn(2, 2, 3, 33, 40, dtype=torch.float64)
    lengths = torch.tensor([1, 2])
    with torch.no_grad():
        actual = FrameFeatures(net, max_frames=2)(frames, lengths=lengths)
        expected = loop(net, frames, valid_steps(lengths, 2))
    assert actual.shape == (2, 2, 512 if headless else 6)
    assert_equal_to_oracle(actual, expected, "features")


def test_values_are_asked_of_no_device_but_the_cpu() -> None:
    """A meta tensor has no values: whoever asked a GPU for some would wait for it."""
    with torch.device("meta"):
        features = FrameFeatures(HybridNet("fc6", width=1 / 12), max_frames=3)
        frames = torch.empty(4, 2, 3, 227, 227)
    assert features(frames).shape == (4, 2, 341)
    assert features(frames, lengths=torch.tensor([1, 3])).is_meta
    assert features(frames, mask=torch.rand(4, 2) > 0.5).is_meta


class Wrong(nn.Module):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result

    def forward(self, images: Tensor) -> Any:
        return self.result


@pytest.mark.parametrize(
    ("options", "arguments", "error", "message"),
    [
        ({"net": "resnet"}, {}, TypeError, "net: expected a torch.nn.Module, got str"),
        ({"max_frames": 0}, {}, ValueError, "max_frames: expected an integer >= 1 or None, got 0"),
        ({"max_frames": 1.5}, {}, ValueError, "max_frames: expected an integer"),
        ({}, {"frames": [1]}, TypeError, "frames: expected a tensor, got a list"),
        ({}, {"frames": torch.zeros(3, C, Y, X)}, ValueError, r"frames: expected shape \(T, B, C"),
        (
            {"batch_first": True}, {"frames": torch.zeros(3)}, ValueError,
            r"frames: expected shape \(B, T, \.\.\)",
        ),
        (
            {}, {"frames": torch.zeros(3, 2, C, Y, X, dtype=torch.uint8)}, TypeError,
            "frames: expected a floating dtype, got a uint8 .* preprocess",
        ),
        ({}, {"top": torch.zeros(3, 2)}, TypeError, "top: expected nothing, .* no preprocess"),
        (
            {"preprocess": lambda x: x}, {"top": torch.zeros(3, 4)}, ValueError,
            r"top: expected shape \(T, B, \.\.\), got .*\(3, 4\)",
        ),
        (
            {}, {"lengths": torch.ones(2, dtype=torch.int64), "mask": torch.ones(3, 2) > 0},
            ValueError, "mask: expected None",
        ),
        ({}, {"lengths": torch.tensor([1, 4])}, ValueError, r"lengths: .* within 0..T = 3"),
        ({}, {"lengths": torch.tensor([1, 2, 3])}, ValueError, r"lengths: expected shape \(B,\)"),
        ({}, {"lengths": torch.ones(2)}, TypeError, "lengths: expected a tensor of integers"),
        ({}, {"mask": torch.ones(3, 2)}, TypeError, "mask: expected a bool tensor"),
        ({}, {"mask": torch.ones(2, 3) > 0}, ValueError, r"mask: expected shape \(3, 2\)"),
        ({"net": Wrong(torch.zeros(5, 4))}, {}, ValueError, r"net: expected features \(6, F\)"),
        ({"net": Wrong(torch.zeros(6))}, {}, ValueError, r"net: expected features \(6, F\)"),
        ({"net": Wrong((torch.zeros(6, 4),))}, {}, ValueError, "net: .* got a tuple of 1"),
    ],
)  # fmt: skip
def test_bad_arguments(
    options: dict[str, Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FrameFeatures(**{"net": small_net(), **options})(**{"frames": clips(3, 2), **arguments})
