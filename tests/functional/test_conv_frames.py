"""functional.conv_frames: made of operators, and how the experimental kernel is asked for."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast import functional, reference
from lrcn_fast.nn import CaffeNet, HybridNet, fold_mean
from tests.helpers.conv_frames import CONV_CASES, ConvCase, build_conv
from tests.helpers.tolerance import assert_equal_to_oracle, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
MEAN = (104.0, 116.779, 123.68)


def build(case: ConvCase, dtype: torch.dtype) -> tuple[Any, ...]:
    """With a bias that torch's convolution of half types takes as it is."""
    return build_conv(case, dtype, torch.bfloat16)


def call(case: ConvCase, dtype: torch.dtype, **options: Any) -> Tensor:
    frames, offsets, mirror, weight, bias, stride, *size, alpha, beta, k = build(case, dtype)
    given = {"offsets": offsets, "mirror": mirror, "alpha": alpha, "beta": beta, "k": k}
    given |= {"stride": stride, "size": tuple(size), "channel_dim": 3}
    return functional.conv_frames(frames, weight, bias, **{**given, **options})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CONV_CASES, ids=str)
def test_case(case: ConvCase, dtype: torch.dtype) -> None:
    actual = call(case, dtype)
    exact = reference.conv_frames(*build(case, torch.float64))
    assert_no_worse_than_torch(actual, reference.conv_frames(*build(case, dtype)), exact, str(case))


@pytest.mark.parametrize("net", [CaffeNet, HybridNet])
def test_it_is_the_first_layer(net: type) -> None:
    """On pixels as they are, with the mean in the bias."""
    conv = net("pool5").double().conv1
    folded = fold_mean(conv, MEAN, swap_rb=True)
    pixels = torch.randint(0, 256, (2, 3, 60, 47), dtype=torch.uint8)
    images = functional.frames_to_input(pixels, mean=MEAN, swap_rb=True, dtype=torch.float64)
    expected = functional.relu_max_pool_lrn(conv(images))
    actual = functional.conv_frames(pixels, folded.weight, folded.bias, stride=conv.stride[0])
    assert_equal_to_oracle(actual, expected, "output")


def test_gradients() -> None:
    case = CONV_CASES[2]
    frames, offsets, mirror, weight, bias, *rest = build_conv(case, torch.float64)
    stride, *size, alpha, beta, k = rest
    leaves = [weight.clone().requires_grad_(), bias.clone().requires_grad_()]
    ours = functional.conv_frames(
        frames, *leaves, stride=stride, size=tuple(size), offsets=offsets, mirror=mirror, k=k
    )
    theirs = reference.conv_frames(frames, offsets, mirror, *leaves, stride, *size, alpha, beta, k)
    factors = torch.randn(ours.shape, dtype=torch.float64)
    found = torch.autograd.grad((ours * factors).sum(), leaves)
    expected = torch.autograd.grad((theirs * factors).sum(), leaves)
    for name, *both in zip(("weight", "bias"), found, expected, strict=True):
        assert_equal_to_oracle(*both, name, 1e-10)


@pytest.mark.parametrize("case", CONV_CASES, ids=str)
def test_fake_kernel_and_opcheck(case: ConvCase) -> None:
    arguments = build_conv(case, torch.bfloat16)
    torch.library.opcheck(OPS.conv_frames_reference.default, arguments)
    meta = [x.to("meta") if isinstance(x, Tensor) else x for x in arguments]
    assert OPS.conv_frames(*meta).shape == reference.conv_frames(*arguments).shape


def test_the_kernel_is_for_cuda_alone() -> None:
    with pytest.raises(
        RuntimeError, match="cannot run conv_frames.*(?s:.*)a CUDA kernel for it al"
    ):
        call(CONV_CASES[0], torch.bfloat16, experimental=True)


def test_the_kernel_has_no_gradient() -> None:
    frames, _, _, weight, bias, stride, *_ = build_conv(CONV_CASES[0], torch.bfloat16)
    with pytest.raises(ValueError, match="experimental: .*no gradient"):
        functional.conv_frames(
            frames, weight.requires_grad_(), bias, stride=stride, experimental=True
        )
