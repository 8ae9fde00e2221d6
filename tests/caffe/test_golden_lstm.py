"""LSTM layers against the original Caffe in float64: states from call to call, and exposed ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import Net, load_net
from tests.caffe.nets import build, golden_net, input_layer, layer
from tests.golden.caffe import WINDOWS, golden_file, load, torch_order
from tests.helpers.tolerance import FORWARD, GRADIENT, assert_bitwise_equal, assert_equal_to_oracle

BLOBS = {"weight_ih": "W_xc", "bias": "b_c", "weight_is": "W_xc_static", "weight_hh": "W_hc"}


@torch.no_grad()
def fill(net: Net, name: str, golden: dict[str, Tensor], prefix: str = "") -> None:
    module = net.get_submodule(name)
    for blob in module.blob_names:
        getattr(module, blob).copy_(torch_order(golden[prefix + BLOBS[blob]]))


def check_gradients(net: Net, name: str, golden: dict[str, Tensor], prefix: str = "") -> None:
    module = net.get_submodule(name)
    for blob in module.blob_names:
        expected = torch_order(golden[f"d_{prefix}{BLOBS[blob]}"])
        assert_equal_to_oracle(getattr(module, blob).grad, expected, blob, GRADIENT)


def one_layer(folder: Path, golden: dict[str, Tensor]) -> Net:
    names = ["x", "cont", *(["x_static"] if "x_static" in golden else [])]
    exposed = "hT" in golden
    names += ["h0", "c0"] if exposed else []
    shapes = {name: golden[name].shape for name in names}
    tops = "h hT cT" if exposed else "h"
    hidden = golden["h"].shape[2]
    more = f"recurrent_param {{ num_output: {hidden} expose_hidden: {str(exposed).lower()} }}"
    net = build(folder, input_layer(**shapes) + layer("LSTM", " ".join(names), tops, more))
    net.double()
    fill(net, "it", golden)
    return net


@pytest.mark.parametrize("name", WINDOWS)
def test_window(name: str, tmp_path: Path) -> None:
    golden = load(name)
    net = one_layer(tmp_path, golden)
    if "warm_x" in golden:
        warm = {key: golden[f"warm_{key}"] for key in net.inputs}
        assert_equal_to_oracle(net(warm)["h"], golden["warm_h"], "warm h", FORWARD)
    inputs = {key: golden[key].requires_grad_(key != "cont") for key in net.inputs}
    outputs = net(inputs)
    for key, value in outputs.items():
        assert_equal_to_oracle(value, golden[key], key, FORWARD)
    outputs["h"].backward(golden["d_h"])
    for key in ("x", "x_static"):
        if key in inputs:
            assert_equal_to_oracle(inputs[key].grad, golden[f"d_{key}"], f"d_{key}", GRADIENT)
    for key in ("h0", "c0"):
        if key in inputs:
            # Caffe's is zero: states pass without gradient.
            assert inputs[key].grad is None
            assert not golden[f"d_{key}_bottom"].any()
    check_gradients(net, "it", golden)


@pytest.mark.parametrize("precision", [torch.float64, torch.float32], ids=str)
def test_a_net_has_the_precision_of_its_file(precision: torch.dtype) -> None:
    name = "double" if precision == torch.float64 else "float"
    net = golden_net("lstm_stacked", f"lstm_stacked_{name}")
    assert {parameter.dtype for parameter in net.parameters()} == {precision}
    golden = load("stacked")
    for name in ("lstm1", "lstm2"):
        for blob in net.get_submodule(name).blob_names:
            expected = torch_order(golden[f"{name}/{BLOBS[blob]}"]).to(precision)
            assert_bitwise_equal(net.get_parameter(f"{name}.{blob}"), expected, blob)


def test_stacked() -> None:
    golden = load("stacked")
    net = golden_net("lstm_stacked", "lstm_stacked_double")
    warm = net({key: golden[f"warm_{key}"] for key in net.inputs}, ["lstm1", "lstm2"])
    assert_equal_to_oracle(warm["lstm1"], golden["warm_h1"], "warm h1", FORWARD)
    assert_equal_to_oracle(warm["lstm2"], golden["warm_h2"], "warm h2", FORWARD)
    inputs = {key: golden[key].requires_grad_(key != "cont") for key in net.inputs}
    outputs = net(inputs, ["lstm1", "lstm2"])
    outputs["lstm1"].retain_grad()
    outputs["lstm2"].backward(golden["d_h2"])
    for key, actual, expected in (
        ("h1", outputs["lstm1"], golden["h1"]),
        ("h2", outputs["lstm2"], golden["h2"]),
        ("d_h1", outputs["lstm1"].grad, golden["d_h1"]),
        ("d_x", inputs["x"].grad, golden["d_x"]),
        ("d_x_static", inputs["x_static"].grad, golden["d_x_static"]),
    ):
        assert_equal_to_oracle(actual, expected, key, GRADIENT)
    check_gradients(net, "lstm1", golden, "lstm1/")
    check_gradients(net, "lstm2", golden, "lstm2/")


@torch.no_grad()
def test_stream(tmp_path: Path) -> None:
    golden = load("stream")
    streams = golden["x"].shape[1]
    text = golden_file("lstm_stacked.prototxt").read_text()
    # Of what the file fixes, only one hidden size is not the stream's.
    path = tmp_path / "stream.prototxt"
    path.write_text(text.replace("num_output: 10", "num_output: 9"))
    net = load_net(
        path, input_shapes={"x": (1, streams, 7), "cont": (1, streams), "x_static": (streams, 4)}
    )
    net.double()
    fill(net, "lstm1", golden, "lstm1/")
    fill(net, "lstm2", golden, "lstm2/")
    for call in range(golden["x"].shape[0]):
        if call == int(golden["reset_before_call"]):
            net.reset()
        step = {key: golden[key][call : call + 1] for key in ("x", "cont")}
        outputs = net({**step, "x_static": golden["x_static"]}, ["lstm1", "lstm2"])
        assert_equal_to_oracle(outputs["lstm1"][0], golden["h1"][call], f"h1, {call}", FORWARD)
        assert_equal_to_oracle(outputs["lstm2"][0], golden["h2"][call], f"h2, {call}", FORWARD)
