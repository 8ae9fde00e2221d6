"""Which layers a net consists of: rules of phase, level and stage; the old forms of input."""

from pathlib import Path

import pytest

from lrcn_fast.caffe import CaffeError, load_net
from tests.caffe.nets import build, input_layer, layer

FIVE = "inner_product_param { num_output: 5 }"


def has_layer(folder: Path, rule: str, **state: object) -> bool:
    text = input_layer(x=(2, 3)) + layer("ReLU", "x", "y", rule) + layer("ReLU", "x", "z", name="b")
    return "y" in build(folder, text, **state).blobs


@pytest.mark.parametrize("phase", ["train", "test"])
@pytest.mark.parametrize("level", [-1, 0, 2])
@pytest.mark.parametrize("stages", [(), ("a",), ("a", "b"), ("b",)])
@pytest.mark.parametrize("excludes", [False, True])
def test_rules(
    phase: str, level: int, stages: tuple[str, ...], excludes: bool, tmp_path: Path
) -> None:
    met = {
        "phase: TRAIN": phase == "train",
        "phase: TEST": phase == "test",
        "min_level: 0": level >= 0,
        "max_level: 0": level <= 0,
        'stage: "a"': "a" in stages,
        'stage: "a" stage: "b"': set(stages) >= {"a", "b"},
        'not_stage: "b"': "b" not in stages,
        'phase: TEST stage: "a" not_stage: "b"': phase == "test" and stages == ("a",),
        "": True,
    }
    word = "exclude" if excludes else "include"
    state = {"phase": phase, "level": level, "stages": stages}
    for rule, expected in met.items():
        found = has_layer(tmp_path, f"{word} {{ {rule} }}", **state)
        assert found == (expected != excludes), rule
    # One of several rules suffices.
    several = f'{word} {{ stage: "a" }} {word} {{ stage: "b" }}'
    assert has_layer(tmp_path, several, **state) == (bool(stages) != excludes)


def test_stages_that_the_net_names_itself(tmp_path: Path) -> None:
    text = input_layer(x=(2, 3)) + layer("ReLU", "x", "y", 'include { stage: "a" stage: "b" }')
    assert "y" in build(tmp_path, 'state { stage: "a" }' + text, stages=["b"]).blobs
    assert "y" not in build(tmp_path, text, stages=["b"]).blobs


def test_include_and_exclude_at_once(tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match="'it' has include and exclude rules at once"):
        has_layer(tmp_path, "include { phase: TEST } exclude { phase: TRAIN }")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"phase": "deploy"}, "phase: expected 'train' or 'test', got 'deploy'"),
        ({"stages": "factored"}, "stages: expected a sequence of names"),
    ],
)
def test_a_state_that_makes_no_sense(state: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        has_layer(tmp_path, "", **state)


@pytest.mark.parametrize(
    "fields",
    [
        'input: "a" input: "b" input_dim: 2 input_dim: 1 input_dim: 3 input_dim: 4 '
        "input_dim: 2 input_dim: 1 input_dim: 3 input_dim: 4",
        'input: "a" input: "b" input_shape { dim: 2 dim: 1 dim: 3 dim: 4 } '
        "input_shape { dim: 2 dim: 1 dim: 3 dim: 4 }",
    ],
)
def test_inputs_of_the_net(fields: str, tmp_path: Path) -> None:
    net = build(tmp_path, f"{fields}\n{layer('InnerProduct', 'b', 'y', FIVE)}")
    assert net.inputs == ("a", "b")
    assert net.get_parameter("it.weight").shape == (5, 12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('input: "a" input_dim: 2', "input_dim: expected 4 numbers for each of 1 inputs, got 1"),
        ('input: "a" input_shape { } input_shape { }', "input_shape: expected 1 shapes, got 2"),
        ('layers { name: "a" type: RELU } layer { name: "b" }', "layers of the old form and"),
        ('layers { name: "a" bottom: "x" top: "y" }', "layer 'a' has no type"),
        (input_layer(x=(2, -3)), "no negative sizes"),
        ('layer { type: "Input" top: "a" top: "b" top: "c" input_param { shape {} shape {} } }',
         "one for each of 3 tops, got 2"),
        ('layer { type: "Python" bottom: "a" top: "b" }', "Python with bottoms is not supported"),
        (input_layer(x=(2, 3)) + input_layer(x=(2, 3)), "another layer makes the top 'x' already"),
        (layer("ReLU", "x", "y"), "layer 'it' .ReLU., phase test, stages ..: no layer before it "
                                  "makes the bottom 'x'"),
        (input_layer(x=(2, 3)) + layer("Warp", "x", "y"), "the type is not supported; there are"),
        (input_layer(x=(2, 3)) + layer("ReLU", "x x", "y"), "expected 1 bottoms, got 2"),
        (input_layer(x=(2, 3)) + layer("ReLU", "x", "y z"), "expected 1 tops, got 2"),
        (input_layer(x=(2, 3)) + layer("Concat", "", "y"), "expected some bottoms, got 0"),
        (input_layer(x=(2, 3)) + layer("Sigmoid", "x", "y", "loss_weight: 2"),
         "loss_weight is supported on SoftmaxWithLoss alone"),
        (input_layer(x=(2**31,)), "more than 2147483647 values"),
        ('layer { type: "HDF5Data" top: "x" }' + layer("ReLU", "x", "y"),
         "the shape of input 'x' is not in the file: give load_net input_shapes="),
    ],
)  # fmt: skip
def test_nets_that_cannot_be_built(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=message) as caught:
        build(tmp_path, text)
    assert str(tmp_path / "net.prototxt") in str(caught.value)


OLD_TYPES = {
    "type: INNER_PRODUCT inner_product_param { num_output: 4 }": "InnerProduct",
    "type: RELU relu_param { negative_slope: 0.5 }": "ReLU",
    "type: TANH": "TanH",
    "type: SOFTMAX": "Softmax",
    "type: DROPOUT dropout_param { dropout_ratio: 0.25 }": "Dropout",
    "type: LRN lrn_param { local_size: 3 }": "LRN",
}


@pytest.mark.parametrize(("old", "new"), OLD_TYPES.items())
def test_old_types(old: str, new: str, tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }\n'
    text += f'layers {{ name: "it" bottom: "x" top: "y" {old} }}'
    module = build(tmp_path, text).get_submodule("it")
    assert module.kind == new
    options = {"ReLU": ("negative_slope", 0.5), "Dropout": ("ratio", 0.25), "LRN": ("size", 3)}
    if new in options:
        attribute, value = options[new]
        assert getattr(module, attribute) == value


def test_old_layers_share_parameters_by_name_too(tmp_path: Path) -> None:
    ip = 'type: INNER_PRODUCT param: "w" inner_product_param { num_output: 3 }'
    text = 'input: "x" input_shape { dim: 2 dim: 3 }' + "".join(
        f'layers {{ name: "{top}" bottom: "x" top: "{top}" {ip} }}' for top in "ab"
    )
    net = build(tmp_path, text)
    assert net.get_parameter("a.weight") is net.get_parameter("b.weight")
    assert net.get_parameter("a.bias") is not net.get_parameter("b.bias")


def test_data_layers_are_inputs(tmp_path: Path) -> None:
    # The release names two data layers alike, and two labels that nobody asks for are silenced.
    text = """
        layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TEST }
                transform_param { crop_size: 4 mean_value: 9 } image_data_param { batch_size: 2 } }
        layer { name: "data" type: "HDF5Data" top: "cont" hdf5_data_param { batch_size: 20 } }
        layer { name: "memory" type: "MemoryData" top: "m" top: "l"
                memory_data_param { batch_size: 5 channels: 1 height: 2 width: 3 } }
        layer { name: "dummy" type: "DummyData" top: "d"
                dummy_data_param { num: 2 channels: 3 height: 4 width: 5 } }
        layer { name: "silence" type: "Silence" bottom: "label" bottom: "l" }
    """
    product = "inner_product_param { num_output: 1 }"
    for bottom in ("data", "m", "d"):
        text += layer("InnerProduct", bottom, f"{bottom}_", product, name=f"ip_{bottom}")
    net = build(tmp_path, text, input_shapes={"data": (2, 3, 4, 4)})
    assert net.inputs == ("data", "label", "cont", "m", "l", "d")
    sizes = {name: net.get_parameter(f"ip_{name}.weight").shape[1] for name in ("data", "m", "d")}
    assert sizes == {"data": 48, "m": 6, "d": 60}


def test_shapes_of_inputs_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=r"input_shapes: \['y'\] are no inputs"):
        build(tmp_path, input_layer(x=(2, 3)), input_shapes={"y": (1,)})


def test_given_shapes_go_before_those_of_the_file(tmp_path: Path) -> None:
    text = input_layer(x=(2, 3)) + layer("InnerProduct", "x", "y", FIVE)
    net = build(tmp_path, text, input_shapes={"x": (2, 7)})
    assert net.get_parameter("it.weight").shape == (5, 7)
    assert load_net(tmp_path / "net.prototxt").get_parameter("it.weight").shape == (5, 3)
