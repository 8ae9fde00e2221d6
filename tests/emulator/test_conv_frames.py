"""The CUDA kernel of conv_frames, on the CPU, against the reference."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrcn_fast.reference import conv_frames
from tests.emulator.arrays import as_it_lies, like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.conv_frames import CONV_CASES, ConvCase, build_conv
from tests.helpers.tolerance import assert_no_worse_than_torch

WEIGHT = 3


def run(arguments: tuple[Any, ...]) -> Tensor:
    *images, weight, bias = arguments[: WEIGHT + 2]
    shape = conv_frames(*arguments).permute(0, 2, 3, 1).shape
    result = like(weight.dtype, *shape)
    emulator().conv_frames(
        *map(as_it_lies, images),
        to_numpy(weight.permute(0, 2, 3, 1)),
        to_numpy(bias),
        *arguments[WEIGHT + 2 :],
        result,
    )
    return to_torch(result, weight.dtype).permute(0, 3, 1, 2)


@pytest.mark.parametrize("multiprocessors", [1, 5])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CONV_CASES, ids=str)
def test_case(case: ConvCase, dtype: torch.dtype, multiprocessors: int) -> None:
    """With whole frames for a block, and with bands of them."""
    arguments = build_conv(case, dtype)
    exact = conv_frames(*build_conv(case, torch.float64))
    emulator().set_multiprocessors(multiprocessors)
    try:
        actual = run(arguments)
    finally:
        emulator().set_multiprocessors(132)
    assert_no_worse_than_torch(actual, conv_frames(*arguments), exact, str(case))


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_threads(seed: int) -> None:
    arguments = build_conv(CONV_CASES[2], torch.bfloat16)
    emulator().set_seed(seed)
    exact = conv_frames(*build_conv(CONV_CASES[2], torch.float64))
    assert_no_worse_than_torch(run(arguments), conv_frames(*arguments), exact, "output")


def test_nan_stays() -> None:
    arguments = build_conv(CONV_CASES[0], torch.float16)
    arguments[4][7] = torch.nan
    expected = conv_frames(*arguments).isnan()
    assert expected.any() and not expected.all()
    assert torch.equal(run(arguments).isnan(), expected)


def test_other_filters_are_refused() -> None:
    frames, offsets, mirror, weight, bias, _, *rest = build_conv(CONV_CASES[0], torch.float16)
    with pytest.raises(RuntimeError, match="invalid size"):
        run((frames, offsets, mirror, weight, bias, 2, *rest))
