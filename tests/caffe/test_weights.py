"""Weights into modules and back: the tables, round trips, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lrcn_fast
from lrcn_fast.caffe import CaffeError, export_caffemodel, load_net, load_weights
from lrcn_fast.caffe.reader import read_weights
from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier
from lrcn_fast.nn import VGG16, CaffeNet, FrameFeatures, HybridNet
from tests.caffe.nets import build, golden_inputs, golden_net, input_layer, layer
from tests.golden.caffe import arrays, golden_file, load, torch_order
from tests.helpers.tolerance import (
    CAFFE_FLOAT,
    FORWARD,
    assert_bitwise_equal,
    assert_close_to_largest,
    assert_equal_to_oracle,
)

SIZES = ActivityConfig(classes=3, width=1 / 48, fc6=5, image_size=(69, 85), hidden_size=7)
WIDTHS = {"width": 1 / 48, "num_classes": 3, "fc6": 5, "fc7": 4}
MODELS = {
    "ActivityRecognizer": lambda: ActivityRecognizer(SIZES),
    "two layers": lambda: ActivityRecognizer(replace(SIZES, num_layers=2)),
    "torch.nn.LSTM": lambda: ActivityRecognizer(SIZES, lstm=nn.LSTM),
    "small": lambda: ActivityRecognizer.small(3, image_size=(69, 85)),
    "FrameClassifier": lambda: FrameClassifier(SIZES),
    "CaffeNet": lambda: CaffeNet(**WIDTHS, image_size=(69, 85)),
    "HybridNet": lambda: HybridNet(**WIDTHS, image_size=(69, 85)),
    "VGG16": lambda: VGG16(**WIDTHS, image_size=(69, 85)),
}
CONVS = ["conv1", "conv2", "conv3", "conv4", "conv5"]
VGG_CONVS = "1_1 1_2 2_1 2_2 3_1 3_2 3_3 4_1 4_2 4_3 5_1 5_2 5_3".split()
LAYERS = {
    "ActivityRecognizer": [*CONVS, "fc6", "lstm1", "fc8-final"],
    "two layers": [*CONVS, "fc6", "lstm1", "lstm2", "fc8-final"],
    "torch.nn.LSTM": [*CONVS, "fc6", "lstm1", "fc8-final"],
    "small": [*CONVS[:3], "fc6", "lstm1", "fc8-final"],
    "FrameClassifier": [*CONVS, "fc6", "fc7", "fc8-ucf"],
    "CaffeNet": [*CONVS, "fc6", "fc7", "fc8"],
    "HybridNet": [*CONVS, "fc6", "fc7", "fc8"],
    "VGG16": [*(f"conv{place}" for place in VGG_CONVS), "fc6", "fc7", "fc8"],
}


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.normal_(std=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_models_go_through_a_file(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model, other = MODELS[name]().to(dtype), MODELS[name]().to(dtype)
    for each in (model, other):
        scramble(each)
    path = tmp_path / "model.caffemodel"
    export_caffemodel(model, path)
    assert list(read_weights(path)) == LAYERS[name]
    report = load_weights(other, path)
    assert report == type(report)(tuple(LAYERS[name]), (), ())
    images = torch.randn(2, 3, 69, 85, dtype=dtype)
    if name in ("CaffeNet", "HybridNet", "VGG16"):
        ours, theirs = other.eval()(images), model.eval()(images)
    else:
        ours, theirs = other.predict(images[:, None]), model.predict(images[:, None])
    # Two biases have become one, so the last bits may differ.
    bound = FORWARD if dtype == torch.float64 else CAFFE_FLOAT
    assert_close_to_largest(ours, theirs, "output", bound)
    again = tmp_path / "again.caffemodel"
    export_caffemodel(other, again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["lrcn_1u_tiny", "lrcn_2f_tiny", "caffenet_tiny", "hyb2_tiny"])
def test_nets_go_through_a_file(name: str, tmp_path: Path) -> None:
    net, path = golden_net(name), tmp_path / "net.caffemodel"
    export_caffemodel(net, path)
    ours, caffes = read_weights(path), read_weights(golden_file(f"{name}.caffemodel"))
    assert list(ours) == list(caffes)
    for layer_name, blobs in caffes.items():
        for index, (mine, blob) in enumerate(zip(ours[layer_name], blobs, strict=True)):
            assert_bitwise_equal(mine.values, blob.values, f"{layer_name} {index}")
            assert not mine.legacy


def test_double_weights_go_through_a_file(tmp_path: Path) -> None:
    net, path = golden_net("lstm_stacked", "lstm_stacked_double"), tmp_path / "net.caffemodel"
    export_caffemodel(net, path)
    twin = load_net(golden_file("lstm_stacked.prototxt"), path)
    for (key, mine), (_, other) in zip(
        twin.named_parameters(), net.named_parameters(), strict=True
    ):
        assert mine.dtype == torch.float64
        assert_bitwise_equal(mine, other, key)


def test_gates_and_the_single_bias(tmp_path: Path) -> None:
    golden, path = load("stacked"), golden_file("lstm_stacked_double.caffemodel")
    module = nn.ModuleDict(
        {
            "lower": nn.LSTM(6, 10, dtype=torch.float64),
            "upper": lrcn_fast.LSTM(10, 9, static_size=5, dtype=torch.float64),
        }
    )
    report = load_weights(module, path, layers={"lstm1": "lower", "lstm2": "upper"})
    assert report.loaded == ("lstm1", "lstm2")
    lower, upper = module["lower"], module["upper"]
    for actual, blob in (
        (lower.weight_ih_l0, "lstm1/W_xc"), (lower.weight_hh_l0, "lstm1/W_hc"),
        (lower.bias_ih_l0, "lstm1/b_c"), (upper.weight_ih_l0, "lstm2/W_xc"),
        (upper.weight_is_l0, "lstm2/W_xc_static"), (upper.weight_hh_l0, "lstm2/W_hc"),
        (upper.bias_ih_l0, "lstm2/b_c"),
    ):  # fmt: skip
        assert_bitwise_equal(actual, torch_order(golden[blob]), blob)
    assert not lower.bias_hh_l0.any() and not upper.bias_hh_l0.any()
    cont = golden["warm_cont"]
    hidden = lrcn_fast.convert(lower)(golden["warm_x"], cont=cont)[0]
    output = upper(hidden, cont=cont, static=golden["warm_x_static"])[0]
    assert_equal_to_oracle(output, golden["warm_h2"], "warm h2", FORWARD)


def test_a_file_of_more_layers_than_the_net(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    whole = CaffeNet(**WIDTHS, image_size=(69, 85))
    export_caffemodel(whole, path)
    part = CaffeNet("fc6", **WIDTHS, image_size=(69, 85))
    assert load_weights(part, path).left == ("fc7", "fc8")
    with pytest.raises(CaffeError, match=r"has no weights for \['fc8'\]"):
        load_weights(whole, rename(path, b"fc8", b"fc9"))
    assert load_weights(whole, path).missing == ()


def test_a_net_in_frame_features(tmp_path: Path) -> None:
    path, net = tmp_path / "net.caffemodel", CaffeNet(**WIDTHS, image_size=(69, 85))
    export_caffemodel(net, path)
    twin = FrameFeatures(CaffeNet(**WIDTHS, image_size=(69, 85)))
    assert load_weights(twin, path).loaded == tuple(LAYERS["CaffeNet"])
    for name, value in net.state_dict().items():
        assert_bitwise_equal(twin.net.state_dict()[name], value, name)
    with pytest.raises(TypeError, match="no table for a FrameFeatures of Flatten"):
        load_weights(FrameFeatures(nn.Flatten()), path)


def test_the_single_frame_net_of_the_release(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    model = FrameClassifier(SIZES)
    export_caffemodel(model, path)
    net = HybridNet(width=1 / 48, fc6=5, fc7=7, num_classes=3, image_size=(69, 85))
    assert load_weights(net, path).loaded == tuple(LAYERS["FrameClassifier"])
    assert_bitwise_equal(net.get_parameter("fc8.weight"), model.features.net.fc8.weight, "fc8")


def rename(path: Path, old: bytes, new: bytes) -> Path:
    """The same file with another name for a layer, of equal length."""
    renamed = path.with_name("renamed.caffemodel")
    renamed.write_bytes(path.read_bytes().replace(old, new))
    return renamed


def captioner() -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "words": nn.Embedding(37, 12),
            "lstm": lrcn_fast.LSTM(12, 16, static_size=10),
            "upper": lrcn_fast.LSTM(16, 16),
            "predict": nn.Linear(16, 37),
        }
    )


PATHS = {"embedding": "words", "lstm1": "lstm", "lstm2": "upper", "predict": "predict"}


def test_any_module_by_paths() -> None:
    module, net = captioner().double(), golden_net("lrcn_2u_tiny").double()
    load_weights(module, golden_file("lrcn_2u_tiny.caffemodel"), layers=PATHS)
    golden = arrays("lrcn_2f_tiny")
    cont, words = golden["cont"], golden["input"].long()
    hidden = module["lstm"](
        module["words"](words), cont=cont, static=golden["image_features"].double()
    )[0]
    scores = module["predict"](module["upper"](hidden, cont=cont)[0])
    expected = net(golden_inputs(net, golden, torch.float64), ["predict"])["predict"]
    assert_equal_to_oracle(scores, expected, "predict", FORWARD)


def test_a_module_on_meta_is_refused() -> None:
    with pytest.raises(ValueError, match="words.weight is on meta, which keeps no values"):
        load_weights(captioner().to("meta"), golden_file("lrcn_2u_tiny.caffemodel"), layers=PATHS)


def test_report_of_what_is_missing_and_left() -> None:
    module, path = captioner(), golden_file("lrcn_1u_tiny.caffemodel")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(CaffeError, match=r"has no weights for \['lstm2'\], only for \['embedding'"):
        load_weights(module, path, layers=PATHS)
    check_unchanged(module, before)
    report = load_weights(module, path, layers=PATHS, strict=False)
    assert report.missing == ("lstm2",) and report.left == ()
    assert_bitwise_equal(module["upper"].weight_hh_l0, before["upper.weight_hh_l0"], "lstm2")
    report = load_weights(module, path, layers={"predict": "predict"})
    assert report.loaded == ("predict",)
    assert report.left == ("embedding", "lstm1")


def check_unchanged(module: nn.Module, before: dict[str, Tensor]) -> None:
    for name, value in module.state_dict().items():
        assert_bitwise_equal(value, before[name], name)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"predict": nn.Linear(16, 36)},
            r"'predict', blob 0: expected shape \(36, 16\), the file has \(37, 16\)",
        ),
        ({"predict": nn.Linear(16, 37, bias=False)}, "'predict': expected 1 blobs, the file has 2"),
        ({"lstm": lrcn_fast.LSTM(12, 16)}, "'lstm1': expected 3 blobs, the file has 4"),
        ({"words": nn.Embedding(12, 37)}, "'embedding', blob 0: expected shape"),
    ],
)
def test_what_does_not_fit_changes_nothing(replaced: dict[str, nn.Module], message: str) -> None:
    module = captioner()
    module.update(replaced)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(CaffeError, match=message):
        load_weights(module, golden_file("lrcn_2u_tiny.caffemodel"), layers=PATHS)
    check_unchanged(module, before)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (None, TypeError, "module: expected a net of load_net or one of"),
        ({"a": "none"}, ValueError, "the module has no submodule 'none'"),
        ({"a": "act"}, ValueError, "expected a Conv2d, Linear, Embedding or LSTM at 'act'"),
        ({"a": "two"}, ValueError, "one direction, biases and no projection"),
        ({"a": "one:-1"}, ValueError, "expected a path, or 'path:K' of an LSTM, got 'one:-1'"),
        ({"a": "act:0"}, ValueError, "expected an LSTM at 'act:0', got ReLU"),
        ({"a": "one:1"}, ValueError, "Caffe's LSTM is layer 1 of no such LSTM as 'one'"),
    ],
)
def test_modules_without_a_table(
    layers: dict[str, str] | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    module = nn.ModuleDict(
        {"act": nn.ReLU(), "two": nn.LSTM(3, 4, bidirectional=True), "one": nn.LSTM(3, 4)}
    )
    with pytest.raises(error, match=message):
        load_weights(module, golden_file("lrcn_1u_tiny.caffemodel"), layers=layers)
    with pytest.raises(error, match=message):
        export_caffemodel(module, tmp_path / "none.caffemodel", layers=layers)
    assert list(tmp_path.iterdir()) == []


def test_a_net_of_weights_that_lack_a_layer(tmp_path: Path) -> None:
    path = golden_file("lrcn_1u_tiny.caffemodel")
    with pytest.raises(CaffeError, match=r"has no weights for \['lstm2'\]"):
        load_net(golden_file("lrcn_2f_tiny.prototxt"), path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, net = tmp_path / "net.caffemodel", golden_net("lrcn_1u_tiny")
    export_caffemodel(net, path)
    before = path.read_bytes()
    scramble(net)
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="the disk is full"):
            export_caffemodel(net, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def fail(*_: object) -> None:
    raise OSError("the disk is full")


def test_shared_parameters_are_written_for_each_layer(tmp_path: Path) -> None:
    text = input_layer(x=(2, 3))
    for name in "ab":
        more = 'param { name: "w" } inner_product_param { num_output: 4 bias_term: false }'
        text += layer("InnerProduct", "x", name, more, name)
    net, path = build(tmp_path, text), tmp_path / "net.caffemodel"
    scramble(net)
    export_caffemodel(net, path)
    twin = load_net(tmp_path / "net.prototxt", path)
    assert_bitwise_equal(twin.get_parameter("a.weight"), net.get_parameter("b.weight"), "w")
    assert twin.get_parameter("a.weight") is twin.get_parameter("b.weight")


def test_bfloat16_is_written_as_float32(tmp_path: Path) -> None:
    module, path = nn.ModuleDict({"a": nn.Linear(3, 4)}).bfloat16(), tmp_path / "net.caffemodel"
    export_caffemodel(module, path, layers={"a": "a"})
    (weight, _) = read_weights(path)["a"]
    assert_bitwise_equal(weight.values, module["a"].weight.float(), "weight")
