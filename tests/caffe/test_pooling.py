"""Pooling and response normalisation against their definitions, written as loops."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.caffe import CaffeError
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import assert_equal_to_oracle


def windows(size: int, kernel: int, stride: int, pad: int) -> list[tuple[int, int, int]]:
    """(first, end, end before the edges cut it) of each of Caffe's windows along an axis."""
    count = math.ceil((size + 2 * pad - kernel) / stride) + 1
    if pad and (count - 1) * stride >= size + pad:
        count -= 1
    starts = [index * stride - pad for index in range(count)]
    return [
        (max(start, 0), min(start + kernel, size), min(start + kernel, size + pad) - start)
        for start in starts
    ]


def pooled(x: Tensor, kernel: int, stride: int, pad: int, average: bool) -> Tensor:
    rows, columns = (windows(size, kernel, stride, pad) for size in x.shape[2:])
    out = x.new_empty(*x.shape[:2], len(rows), len(columns))
    for i, (top, bottom, height) in enumerate(rows):
        for j, (left, right, width) in enumerate(columns):
            window = x[:, :, top:bottom, left:right]
            out[:, :, i, j] = (
                window.sum((2, 3)) / (height * width) if average else window.amax((2, 3))
            )
    return out


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@given(data=st.data())
def test_pooling(
    method: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kernel, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    pad = data.draw(st.integers(0, kernel // 2))
    height, width = data.draw(st.integers(kernel, 12)), data.draw(st.integers(kernel, 12))
    for size in (height, width):
        # Where a window would hold nothing Caffe's result is no number.
        assume(all(first < end for first, end, _ in windows(size, kernel, stride, pad)))
    shape = (2, 3, height, width)
    more = f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} }}"
    folder = tmp_path_factory.getbasetemp()
    net = build(folder, input_layer(x=shape) + layer("Pooling", "x", "y", more))
    x = torch.randn(shape, dtype=torch.float64)
    expected = pooled(x, kernel, stride, pad, method == "AVE")
    assert_equal_to_oracle(net({"x": x})["y"], expected, "y")


def test_pooling_of_everything_and_by_axis(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    text = input_layer(x=x.shape)
    text += layer("Pooling", "x", "g", "pooling_param { pool: AVE global_pooling: true }", "g")
    sizes = "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0"
    text += layer("Pooling", "x", "a", f"pooling_param {{ {sizes} }}", "a")
    text += layer(
        "Pooling", "x", "f", "pooling_param { kernel_size: 2 stride: 2 round_mode: FLOOR }", "f"
    )
    outputs = build(tmp_path, text)({"x": x})
    assert_equal_to_oracle(outputs["g"], x.mean((2, 3), keepdim=True), "g")
    expected = torch.nn.functional.max_pool2d(x, (2, 3), (1, 2), (1, 0))
    assert_equal_to_oracle(outputs["a"], expected, "a")
    assert outputs["f"].shape == (2, 3, 2, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("pool: STOCHASTIC kernel_size: 2", "pool: expected MAX or AVE"),
        ("pool: MAX", "kernel_size: expected one number or two, got 0"),
        ("kernel_size: 0", "kernel_size: expected at least 1"),
        ("kernel_h: 2", r"kernel_size: expected at least 1, got .2, 0."),
        ("kernel_size: 2 stride: 0", "stride: expected at least 1"),
        ("kernel_size: 2 pad: 2", "pad should be at most half"),
        ("kernel_size: 1 stride: 3", "the last window of 1 would begin past the end of 5"),
        ("kernel_size: 9", "window|Output size is too small|kernel size"),
        ("global_pooling: true pad: 1", "global_pooling: expected stride 1 and no padding"),
    ],
)
def test_pooling_that_makes_no_sense(more: str, message: str, tmp_path: Path) -> None:
    text = input_layer(x=(1, 1, 5, 5)) + layer("Pooling", "x", "y", f"pooling_param {{ {more} }}")
    with pytest.raises(CaffeError, match=message):
        build(tmp_path, text)


def normalised(x: Tensor, size: int, alpha: float, beta: float, k: float, within: bool) -> Tensor:
    out, reach = torch.empty_like(x), size // 2
    squares = x.square()
    for c in range(x.shape[1]):
        if not within:
            total = squares[:, max(c - reach, 0) : c + reach + 1].sum(1) / size
            out[:, c] = x[:, c] / (k + alpha * total) ** beta
            continue
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                square = squares[
                    :, c, max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1
                ]
                mean = square.sum((1, 2)) / size**2
                out[:, c, i, j] = x[:, c, i, j] / (1 + alpha * mean) ** beta
    return out


@pytest.mark.parametrize(
    "size, region",
    [(size, region) for size in (1, 3, 5) for region in ("ACROSS_CHANNELS", "WITHIN_CHANNEL")]
    # Of more channels than there is memory for.
    + [(2**32 - 1, "ACROSS_CHANNELS")],
)
def test_response_normalisation(size: int, region: str, tmp_path: Path) -> None:
    x = torch.randn(2, 7, 6, 5, dtype=torch.float64) * 3
    # Numbers that float32, in which the file keeps them, holds exactly.
    more = f"lrn_param {{ local_size: {size} alpha: 0.5 beta: 0.75 k: 2 norm_region: {region} }}"
    net = build(tmp_path, input_layer(x=x.shape) + layer("LRN", "x", "y", more))
    expected = normalised(x, size, 0.5, 0.75, 2.0, region == "WITHIN_CHANNEL")
    assert_equal_to_oracle(net({"x": x})["y"], expected, "y")


def test_response_normalisation_over_an_even_number(tmp_path: Path) -> None:
    text = input_layer(x=(1, 4, 2, 2)) + layer("LRN", "x", "y", "lrn_param { local_size: 4 }")
    with pytest.raises(CaffeError, match="local_size: expected an odd number, got 4"):
        build(tmp_path, text)
