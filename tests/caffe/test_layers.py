"""Layers against their definitions: products, tables, shapes, values."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import CaffeError, Net
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import assert_bitwise_equal, assert_equal_to_oracle


def one(folder: Path, kind: str, more: str = "", tops: str = "y", **inputs: Tensor) -> Net:
    """A net of one layer in float64; its inputs are its bottoms."""
    shapes = {name: value.shape for name, value in inputs.items()}
    text = input_layer(**shapes) + layer(kind, " ".join(inputs), tops, more)
    return build(folder, text).double()


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


RANDOM = 'weight_filler { type: "gaussian" } bias_filler { type: "gaussian" }'


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("transpose", [False, True])
def test_inner_product(axis: int, transpose: bool, tmp_path: Path) -> None:
    x = randn(2, 3, 4)
    more = f"num_output: 5 axis: {axis} transpose: {str(transpose).lower()} {RANDOM}"
    net = one(tmp_path, "InnerProduct", f"inner_product_param {{ {more} }}", x=x)
    weight, bias = net.get_parameter("it.weight"), net.get_parameter("it.bias")
    matrix = weight.t() if transpose else weight
    kept = x.shape[: axis % 3]
    expected = torch.stack([row @ matrix.t() + bias for row in x.reshape(-1, matrix.shape[1])])
    assert_equal_to_oracle(net({"x": x})["y"], expected.view(*kept, 5), "y")


def test_convolution_by_its_sums(tmp_path: Path) -> None:
    x = randn(1, 4, 7, 9)
    more = "num_output: 6 kernel_h: 2 kernel_w: 3 stride: 2 pad: 1 group: 2 dilation: 2"
    net = one(tmp_path, "Convolution", f"convolution_param {{ {more} {RANDOM} }}", x=x)
    weight, bias = net.get_parameter("it.weight"), net.get_parameter("it.bias")
    assert weight.shape == (6, 2, 2, 3)
    y = net({"x": x})["y"]
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
    for channel in range(6):
        group = padded[0, 2 * (channel // 3) : 2 * (channel // 3) + 2]
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                window = group[:, 2 * i : 2 * i + 3 : 2, 2 * j : 2 * j + 5 : 2]
                expected = (window * weight[channel]).sum() + bias[channel]
                assert_equal_to_oracle(y[0, channel, i, j], expected, f"{channel} {i} {j}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("num_output: 6", "kernel_size: expected one number or two, got 0"),
        ("num_output: 6 kernel_size: 1 kernel_size: 1 kernel_size: 1", "one number or two, got 3"),
        ("num_output: 5 kernel_size: 3 group: 2", "cannot be split into 2 groups"),
        ("num_output: 4 kernel_size: 3 group: 0", "cannot be split into 0 groups"),
        ("num_output: 0 kernel_size: 3", "no axis of size 0"),
        ("num_output: 4 kernel_size: 3 stride: 0", "stride: expected at least 1, got .0."),
        ("num_output: 4 kernel_size: 3 stride_w: 2", "stride: expected at least 1, got .0, 2."),
        ("num_output: 4 kernel_size: 3 dilation: 0", "dilation: expected at least 1"),
        ("num_output: 4 kernel_size: 3 axis: 2", "axis: expected 1, got 2"),
        ("num_output: 4 kernel_size: 9", "Kernel size can't be greater than actual input size"),
        ('num_output: 4 kernel_size: 3 weight_filler { type: "bilinear" }', "filler: expected one"),
    ],
)
def test_convolution_that_makes_no_sense(more: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message):
        one(tmp_path, "Convolution", f"convolution_param {{ {more} }}", x=randn(1, 4, 5, 5))


def test_embed(tmp_path: Path) -> None:
    ids = torch.tensor([[0.0, 6.0], [-1.0, 3.0]])
    more = f"embed_param {{ input_dim: 7 num_output: 3 {RANDOM} }}"
    net = one(tmp_path, "Embed", more, x=ids)
    weight, bias = net.get_parameter("it.weight"), net.get_parameter("it.bias")
    y = net({"x": ids})["y"]
    zero = torch.zeros_like(bias)
    expected = torch.stack([weight[0], weight[6], zero, weight[3]]).view(2, 2, 3) + bias
    assert_equal_to_oracle(y, expected, "y")
    y.sum().backward()
    assert weight.grad.sum(1).tolist() == [3, 0, 0, 3, 0, 0, 3]
    with pytest.raises(CaffeError, match="'it' .Embed.*expected ids below 7, got 7"):
        net({"x": ids + 1})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("dim: 4 dim: 6", (4, 6)),
        ("dim: 0 dim: -1", (2, 12)),
        ("dim: -1 dim: 0 dim: 2", (4, 3, 2)),
    ],
)
def test_reshape(more: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    x = randn(2, 3, 4)
    net = one(tmp_path, "Reshape", f"reshape_param {{ shape {{ {more} }} }}", x=x)
    assert_bitwise_equal(net({"x": x})["y"], x.view(expected), "y")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("shape { dim: 6 dim: 2 } axis: 1", (2, 6, 2)),
        ("shape { dim: 2 dim: 6 } axis: -3", (2, 2, 6)),
        ("shape { dim: -1 } num_axes: 2", (6, 4)),
        ("shape { dim: 1 } axis: 1 num_axes: 0", (2, 1, 3, 4)),
        ("shape { dim: 1 } axis: -1 num_axes: 0", (2, 3, 4, 1)),
        ("shape { dim: 0 dim: 2 dim: 2 } axis: 1", (2, 3, 2, 2)),
    ],
)
def test_reshape_of_some_axes(more: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    x = randn(2, 3, 4)
    net = one(tmp_path, "Reshape", f"reshape_param {{ {more} }}", x=x)
    assert_bitwise_equal(net({"x": x})["y"], x.view(expected), "y")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("shape { dim: 5 dim: -1 }", "Reshape"),
        ("shape { dim: -1 dim: -1 }", "at most one -1"),
        ("shape { dim: -2 }", "expected sizes"),
        ("shape { dim: 1 } axis: 4", "out of range for 3 axes"),
        ("shape { dim: 1 } axis: 2 num_axes: 2", "out of range for 3 axes"),
        ("shape { dim: 2 dim: 3 dim: 4 dim: 0 }", "no axis 3 to keep the size of"),
    ],
)
def test_reshape_that_makes_no_sense(more: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message):
        one(tmp_path, "Reshape", f"reshape_param {{ {more} }}", x=randn(2, 3, 4))


def test_flatten_concat_slice_split(tmp_path: Path) -> None:
    x, y = randn(2, 3, 4), randn(2, 5, 4)
    net = one(tmp_path, "Flatten", "", x=x)
    assert_bitwise_equal(net({"x": x})["y"], x.flatten(1), "flat")
    net = one(tmp_path, "Flatten", "flatten_param { axis: 0 end_axis: -2 }", x=x)
    assert_bitwise_equal(net({"x": x})["y"], x.flatten(0, 1), "flat")
    for more in ("", "concat_param { axis: -2 }", "concat_param { concat_dim: 1 }"):
        net = one(tmp_path, "Concat", more, a=x, b=y)
        assert_bitwise_equal(net({"a": x, "b": y})["y"], torch.cat([x, y], 1), "concat")
    net = one(tmp_path, "Slice", "slice_param { axis: 2 }", "a b", x=x)
    for name, part in zip("ab", x.chunk(2, 2), strict=True):
        assert_bitwise_equal(net({"x": x})[name], part, name)
    net = one(tmp_path, "Slice", "slice_param { slice_dim: 1 slice_point: 1 }", "a b", x=x)
    for name, part in zip("ab", x.split([1, 2], 1), strict=True):
        assert_bitwise_equal(net({"x": x})[name], part, name)
    net = one(tmp_path, "Split", "", "a b c", x=x)
    assert list(net({"x": x})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("", "cannot be parted into 2 equal slices"),
        ("slice_point: 1 slice_point: 2", "expected 1 for 2 tops"),
        ("slice_point: 3", "rising points within 3"),
        ("slice_point: 0", "rising points within 3"),
    ],
)
def test_slice_that_makes_no_sense(points: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message):
        one(tmp_path, "Slice", f"slice_param {{ {points} }}", "a b", x=randn(2, 3))


@pytest.mark.parametrize(
    ("more", "compute"),
    [
        ("", lambda a, b, c: a + b + c),
        ("eltwise_param { coeff: 1 coeff: -2 coeff: 0.5 }", lambda a, b, c: a - 2 * b + c / 2),
        ("eltwise_param { operation: PROD }", lambda a, b, c: a * b * c),
        ("eltwise_param { operation: MAX }", lambda a, b, c: torch.stack([a, b, c]).amax(0)),
    ],
)
def test_eltwise(more: str, compute: object, tmp_path: Path) -> None:
    inputs = {name: randn(2, 3) for name in "abc"}
    y = one(tmp_path, "Eltwise", more, **inputs)(inputs)["y"]
    assert_equal_to_oracle(y, compute(*inputs.values()), "y")


@pytest.mark.parametrize(
    ("more", "shape", "message"),
    [
        ("", (2, 4), "two bottoms or more of one shape"),
        ("eltwise_param { coeff: 1 }", (2, 3), "coeff: expected one for each bottom"),
        ("eltwise_param { operation: MAX coeff: 1 coeff: 1 }", (2, 3), "and a sum"),
    ],
)
def test_eltwise_that_makes_no_sense(
    more: str, shape: tuple[int, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CaffeError, match=message):
        one(tmp_path, "Eltwise", more, a=randn(2, 3), b=randn(*shape))


@pytest.mark.parametrize(
    ("kind", "more", "compute"),
    [
        ("ReLU", "", lambda x: x.clamp(min=0)),
        ("ReLU", "relu_param { negative_slope: 0.25 }", lambda x: torch.where(x > 0, x, x / 4)),
        ("Sigmoid", "", lambda x: 1 / (1 + (-x).exp())),
        ("TanH", "", lambda x: 2 / (1 + (-2 * x).exp()) - 1),
        ("Softmax", "softmax_param { axis: 0 }", lambda x: x.exp() / x.exp().sum(0)),
    ],
)
def test_values(kind: str, more: str, compute: object, tmp_path: Path) -> None:
    x = randn(3, 4)
    assert_equal_to_oracle(one(tmp_path, kind, more, x=x)({"x": x})["y"], compute(x), "y")


def test_dropout_acts_in_training_alone(tmp_path: Path) -> None:
    x = torch.ones(50, 40, dtype=torch.float64)
    text = input_layer(x=x.shape) + layer(
        "Dropout", "x", "y", "dropout_param { dropout_ratio: 0.75 }"
    )
    test, train = build(tmp_path, text), build(tmp_path, text, phase="train")
    assert_bitwise_equal(test({"x": x})["y"], x, "test")
    dropped = train({"x": x})["y"]
    assert sorted(set(dropped.flatten().tolist())) == [0, 4]
    # 2000 draws of probability 1/4: a standard deviation of 19.4.
    assert abs(int((dropped > 0).sum()) - 500) < 100
    assert_bitwise_equal(train.eval()({"x": x})["y"], x, "eval")


@pytest.mark.parametrize("ratio", ["0", "1", "-0.5"])
def test_dropout_of_all_or_nothing(ratio: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match="dropout_ratio: expected a number between 0 and 1"):
        one(tmp_path, "Dropout", f"dropout_param {{ dropout_ratio: {ratio} }}", x=randn(2, 2))


@pytest.mark.parametrize("axis", [3, -4])
def test_an_axis_that_is_not_there(axis: int, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=f"axis: expected -3 to 2 for 3 axes, got {axis}"):
        one(tmp_path, "Softmax", f"softmax_param {{ axis: {axis} }}", x=randn(2, 3, 4))
