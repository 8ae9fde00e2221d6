"""fold_mean: the convolution of pixels is the convolution of pixels without their mean."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from lrcn_fast.functional import frames_to_input
from lrcn_fast.nn import CaffeNet, HybridNet, fold_mean
from tests.helpers.tolerance import (
    assert_bitwise_equal,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)

MEAN, SCALE = (104.0, 116.779, 123.68), (1 / 57, 0.5, 1 / 58)
OPTIONS = [
    ({}, {}),
    ({"bias": False}, {}),
    ({"stride": 3, "dilation": 2}, {"scale": SCALE}),
    ({"padding": "valid"}, {"swap_rb": True, "scale": 1 / 128}),
    ({"groups": 3}, {"scale": SCALE}),
]


def pixels(count: int = 2, size: int = 40) -> Tensor:
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)


def without_mean(frames: Tensor, options: dict[str, Any]) -> Tensor:
    return frames_to_input(frames, mean=MEAN, dtype=torch.float64, **options)


def as_they_are(frames: Tensor, dtype: torch.dtype) -> Tensor:
    return frames_to_input(frames, dtype=dtype)


@pytest.mark.parametrize("layout, options", OPTIONS, ids=str)
def test_float64(layout: dict[str, Any], options: dict[str, Any]) -> None:
    conv = nn.Conv2d(3, 6, 5, **layout, dtype=torch.float64)
    before = [parameter.clone() for parameter in conv.parameters()]
    folded = fold_mean(conv, MEAN, **options)
    frames = pixels()
    expected = conv(without_mean(frames, options))
    assert_equal_to_oracle(folded(as_they_are(frames, torch.float64)), expected, "output")
    for kept, parameter in zip(before, conv.parameters(), strict=True):
        assert_bitwise_equal(parameter, kept, "the convolution that was given")


@pytest.mark.parametrize("net", [CaffeNet, HybridNet])
def test_first_layer_in_float32(net: type) -> None:
    """No worse than torch's own, for sums of numbers as large as pixels are."""
    conv = net("pool5", width=0.25).conv1
    folded, frames = fold_mean(conv, MEAN), pixels(size=60)
    assert_bitwise_equal(folded.weight, conv.weight, "weight")
    exact = fold_mean(conv.double(), MEAN)
    assert_bitwise_equal(folded.bias, exact.bias.float(), "bias, rounded once")
    expected = conv(without_mean(frames, {}))
    ours = folded(as_they_are(frames, torch.float32))
    theirs = conv.float()(without_mean(frames, {}).float())
    largest = float((conv.weight.detach().double().abs().sum((1, 2, 3)) * 255).max())
    assert_no_worse_than_torch(ours, theirs, expected, "output", scale=largest)


def test_forms_of_the_mean() -> None:
    conv = nn.Conv2d(3, 4, 3)
    for one, other in ((torch.tensor(MEAN), torch.tensor(MEAN).tolist()), (100, [100.0] * 3)):
        assert_bitwise_equal(fold_mean(conv, one).bias, fold_mean(conv, other).bias, "bias")


@pytest.mark.parametrize("bias", [False, True])
def test_what_trains_still_trains(bias: bool) -> None:
    conv = nn.Conv2d(3, 4, 3, bias=bias)
    assert all(p.requires_grad and p.is_leaf for p in fold_mean(conv, MEAN).parameters())
    conv.requires_grad_(False)
    assert not any(p.requires_grad for p in fold_mean(conv, MEAN).parameters())


@pytest.mark.parametrize(
    "error, conv, options, words",
    [
        (TypeError, nn.Linear(3, 4), {}, "conv: expected a torch.nn.Conv2d, got Linear"),
        (ValueError, weight_norm(nn.Conv2d(3, 4, 3)), {}, "conv: expected a weight that is a par"),
        (ValueError, nn.Conv2d(3, 4, 3, padding=1), {}, r"without padding.*got padding=\(1, 1\)"),
        (ValueError, nn.Conv2d(3, 4, 3, padding=(0, 2)), {}, "without padding"),
        (ValueError, nn.Conv2d(3, 4, 3, padding="same"), {}, "without padding.*'same'"),
        (ValueError, nn.Conv2d(4, 4, 3), {}, "mean: expected a number or 4 of them"),
        (ValueError, nn.Conv2d(3, 4, 3), {"scale": [1.0]}, "scale: expected a number or 3"),
        (ValueError, nn.Conv2d(3, 4, 3), {"mean": torch.zeros(3, 8, 8)}, "mean: expected"),
        (ValueError, nn.Conv2d(3, 3, 3, groups=3), {"swap_rb": True}, "swap_rb: .* in 3"),
        (ValueError, nn.Conv2d(2, 3, 3), {"mean": 1, "swap_rb": True}, "swap_rb: .*got 2 chan"),
    ],
)
def test_errors(
    error: type[Exception], conv: nn.Module, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(error, match=words):
        fold_mean(conv, **{"mean": MEAN, **options})
