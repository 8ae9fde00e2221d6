"""A net as a module: what runs, what is returned, what is shared, what is refused."""

import copy
import pickle
from pathlib import Path

import pytest
import torch

from lrcn_fast.caffe import CaffeError, Net
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import assert_bitwise_equal

PRODUCT = 'inner_product_param { num_output: 4 weight_filler { type: "xavier" } }'
CHAIN = (
    input_layer(x=(2, 3), unused=(1,))
    + layer("InnerProduct", "x", "a", PRODUCT, "first")
    + layer("ReLU", "a", "a", name="relu")
    + layer("InnerProduct", "a", "b", PRODUCT, "second")
    + layer("Softmax", "a", "c", name="third")
)


def test_outputs_are_what_nobody_reads(tmp_path: Path) -> None:
    net = build(tmp_path, CHAIN)
    assert net.inputs == ("x", "unused")
    assert net.blobs == ("x", "unused", "a", "b", "c")
    assert net.outputs == ("b", "c")
    assert list(net({"x": torch.randn(2, 3)})) == ["b", "c"]


def test_only_what_is_needed_runs(tmp_path: Path) -> None:
    net, ran = build(tmp_path, CHAIN), []
    for _, module in net.named_layers():
        module.register_forward_hook(lambda module, *_: ran.append(module.name))
    x = torch.randn(2, 3)
    outputs = net({"x": x}, ["c"])
    assert list(outputs) == ["c"]
    assert ran == ["first", "relu", "third"]
    ran.clear()
    assert_bitwise_equal(net({"x": x}, ["x"])["x"], x, "x")
    assert ran == []


def test_a_blob_is_what_the_last_layer_leaves_in_it(tmp_path: Path) -> None:
    net = build(tmp_path, CHAIN)
    x = torch.randn(2, 3)
    product = x @ net.get_parameter("first.weight").t() + net.get_parameter("first.bias")
    assert (product < 0).any()
    assert torch.allclose(net({"x": x}, ["a"])["a"], product.relu())


def test_other_sizes_than_those_of_the_file(tmp_path: Path) -> None:
    net = build(tmp_path, CHAIN)
    assert net({"x": torch.randn(9, 3)})["b"].shape == (9, 4)
    with pytest.raises(CaffeError, match=r"layer 'first' \(InnerProduct\), bottoms of shapes"):
        net({"x": torch.randn(9, 4)})


@pytest.mark.parametrize(
    ("inputs", "blobs", "error", "message"),
    [
        ({}, None, CaffeError, "inputs: 'x' is missing"),
        ({"X": torch.ones(1)}, None, CaffeError, r"inputs: expected names out of .*got \['X'\]"),
        ({"x": torch.ones(2, 3)}, ["d"], CaffeError, r"blobs: expected names.*got \['d'\]"),
        ({"x": [1, 2, 3]}, None, TypeError, r"inputs\['x'\]: expected a tensor, got .*list"),
        (torch.ones(2, 3), None, TypeError, "inputs: expected a dict of tensors by name"),
        ({"x": torch.ones(2, 3)}, "b", TypeError, "blobs: expected a sequence of names"),
    ],
)
def test_calls_that_make_no_sense(
    inputs: object, blobs: object, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        build(tmp_path, CHAIN)(inputs, blobs)


def test_copies_pickles_and_state_dicts(tmp_path: Path) -> None:
    net, x = build(tmp_path, CHAIN), torch.randn(2, 3)
    expected = net({"x": x})
    other = build(tmp_path, CHAIN)
    other.load_state_dict(net.state_dict())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), other):
        for name, value in twin({"x": x}).items():
            assert_bitwise_equal(value, expected[name], name)


def shared(more: str = "") -> str:
    text = input_layer(x=(2, 3))
    for name in "ab":
        params = f'param {{ name: "w" {more} }} param {{ lr_mult: 2 }}'
        text += layer("InnerProduct", "x", name, f"{params} {PRODUCT}", name)
    return text


def test_parameters_are_shared_by_name(tmp_path: Path) -> None:
    net = build(tmp_path, shared())
    assert net.get_parameter("a.weight") is net.get_parameter("b.weight")
    assert net.get_parameter("a.bias") is not net.get_parameter("b.bias")
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    x = torch.randn(2, 3)
    sum(value.sum() for value in net({"x": x}).values()).backward()
    one = x.sum(0).expand(4, 3)
    assert torch.allclose(net.get_parameter("a.weight").grad, 2 * one)
    assert net.double().get_parameter("a.weight") is net.get_parameter("b.weight")


def test_shared_parameters_of_two_shapes(tmp_path: Path) -> None:
    before, _, after = shared().rpartition("num_output: 4")
    wanted = r"'b'.*param 'w': expected a blob of shape \(5, 3\) .* shared with one of \(4, 3\)"
    with pytest.raises(CaffeError, match=wanted):
        build(tmp_path, f"{before}num_output: 5{after}")


def test_gates_are_shared_with_gates_alone(tmp_path: Path) -> None:
    named = 'param { name: "w" }'
    text = input_layer(x=(2, 3, 3), cont=(2, 3))
    text += layer("LSTM", "x cont", "h", f"{named} recurrent_param {{ num_output: 1 }}", "lstm")
    more = f"{named} inner_product_param {{ num_output: 4 axis: 2 }}"
    with pytest.raises(CaffeError, match="param 'w': expected a blob .* in a layer of this kind"):
        build(tmp_path, text + layer("InnerProduct", "x", "y", more))


def test_names_that_a_module_cannot_have(tmp_path: Path) -> None:
    text = input_layer(x=(2, 3))
    names = ["a.b", "forward", "training", "inputs", "twice", "twice", "", "_graph"]
    for index, name in enumerate(names):
        text += layer("ReLU", "x", f"y{index}", name=name)
    net = build(tmp_path, text)
    modules = [module for module, _ in net.named_layers()]
    assert modules == [
        "a_b",
        "forward_",
        "training_",
        "inputs_",
        "twice",
        "twice_",
        "ReLU",
        "_graph_",
    ]
    assert [module.name for _, module in net.named_layers()] == names
    assert len(net({"x": torch.ones(2, 3)})) == len(names)


def test_two_layers_with_parameters_and_one_name(tmp_path: Path) -> None:
    text = CHAIN.replace('"second"', '"first"')
    with pytest.raises(CaffeError, match="another layer with parameters has the same name"):
        build(tmp_path, text)


def filled(folder: Path, filler: str) -> torch.Tensor:
    more = f"inner_product_param {{ num_output: 400 weight_filler {{ {filler} }} }}"
    net: Net = build(folder, input_layer(x=(1, 100)) + layer("InnerProduct", "x", "y", more))
    return net.get_parameter("it.weight").detach()


@pytest.mark.parametrize(
    ("filler", "mean", "std"),
    [
        ("value: 3", 3, 0),
        ('type: "gaussian" mean: 2 std: 0.5', 2, 0.5),
        ('type: "uniform" min: -3 max: 1', -1, 4 / 12**0.5),
        ('type: "xavier"', 0, 0.1),
        ('type: "xavier" variance_norm: FAN_OUT', 0, 0.05),
        ('type: "msra" variance_norm: AVERAGE', 0, (2 / 250) ** 0.5),
    ],
)
def test_fillers(filler: str, mean: float, std: float, tmp_path: Path) -> None:
    # 40 000 draws: five standard deviations of their mean and of their spread.
    weight = filled(tmp_path, filler)
    assert abs(weight.mean().item() - mean) <= 5 * std / 200
    assert abs(weight.std().item() - std) <= 5 * std / 200


@pytest.mark.parametrize(
    ("filler", "message"),
    [
        ('type: "bilinear"', "filler: expected one of"),
        ('type: "gaussian" sparse: 3', "sparse gaussian fillers are not supported"),
        ('type: "gaussian" std: -1', "expected std >= 0"),
        ('type: "uniform" min: 2 max: 1', "min <= max"),
        ('type: "gaussian" std: nan', "expected std >= 0"),
    ],
)
def test_fillers_that_make_no_sense(filler: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message):
        filled(tmp_path, filler)
