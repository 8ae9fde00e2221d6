"""The original Caffe's nets, from their own files: blobs, losses and gradients."""

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import Net
from tests.caffe.nets import golden_inputs, golden_net
from tests.golden.caffe import arrays, torch_order
from tests.helpers.tolerance import CAFFE_FLOAT, FORWARD, assert_close_to_largest

CNNS = {"caffenet_tiny": "fc8", "hyb2_tiny": "fc8-ucf"}
CAPTIONERS = ["lrcn_1u_tiny", "lrcn_2u_tiny", "lrcn_2f_tiny", "lrcn_2f_full_tiny"]
LOSSES = dict.fromkeys(CAPTIONERS, "cross_entropy_loss") | {"lrcn_activity_tiny": "loss"}
BOUNDS = {torch.float64: FORWARD, torch.float32: CAFFE_FLOAT}

each_dtype = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


def check_blobs(outputs: dict[str, Tensor], golden: dict[str, Tensor], bound: float) -> None:
    checked = 0
    for key, expected in golden.items():
        kind, _, name = key.partition("/")
        name, part, _ = name.partition("[")
        if kind not in ("blob", "blob32") or name not in outputs:
            continue
        actual = outputs[name][: expected.shape[0]] if part else outputs[name]
        assert_close_to_largest(actual, expected.double(), key, max(bound, kind_bound(kind)))
        checked += 1
    assert checked


def kind_bound(kind: str) -> float:
    """Caffe's float nets are as far from the truth as ours."""
    return CAFFE_FLOAT if kind == "blob32" else 0.0


def check_gradients(net: Net, golden: dict[str, Tensor], bound: float) -> None:
    for _, layer in net.named_layers():
        for index, blob in enumerate(layer.blob_names):
            key = f"grad/{layer.name}/{index}"
            gradient = getattr(layer, blob).grad
            if blob in layer.gate_blobs:
                gradient = torch_order(gradient)
            assert_close_to_largest(gradient, golden.pop(key), key, bound)
    assert not [key for key in golden if key.startswith("grad/")]


def check_diffs(
    outputs: dict[str, Tensor], inputs: dict[str, Tensor], golden: dict[str, Tensor], bound: float
) -> None:
    for key in [key for key in golden if key.startswith("diff/")]:
        name = key.removeprefix("diff/")
        if name == "data[0]":
            assert_close_to_largest(inputs["data"].grad[0], golden[key], key, bound)
        elif name in inputs:
            assert_close_to_largest(inputs[name].grad, golden[key], key, bound)
        else:
            assert_close_to_largest(outputs[name].grad, golden[key], key, bound)


def run(net: Net, golden: dict[str, Tensor], dtype: torch.dtype, extra: list[str]):
    """All golden blobs; fc6, which Caffe's diff sees before its ReLU, as the product left it."""
    inputs = golden_inputs(net, golden, dtype)
    wanted = {key.partition("/")[2].partition("[")[0] for key in golden if key.startswith("blob")}
    outputs = net(inputs, [*sorted(wanted & set(net.blobs)), *extra])
    return inputs, outputs


def keep_products(net: Net) -> dict[str, Tensor]:
    """The outputs of layers as they leave them, before others work on them in place."""
    kept = {}

    def keep(layer: torch.nn.Module, _: object, output: Tensor) -> None:
        kept[layer.name] = output
        output.retain_grad()

    for _, layer in net.named_layers():
        if layer.kind in ("InnerProduct", "Pooling", "LRN", "LSTM", "Embed"):
            layer.register_forward_hook(keep)
    return kept


def products_by_blob(kept: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {"embedding": "embedded_input_sentence"}
    return {renamed.get(name, name): value for name, value in kept.items()}


@each_dtype
@pytest.mark.parametrize("name", CNNS)
def test_cnn(name: str, dtype: torch.dtype) -> None:
    golden, net = arrays(name), golden_net(name).to(dtype)
    kept = keep_products(net)
    inputs, outputs = run(net, golden, dtype, [])
    check_blobs(outputs, golden, BOUNDS[dtype])
    outputs[CNNS[name]].backward(golden[f"topdiff/{CNNS[name]}"].to(dtype))
    check_gradients(net, golden, BOUNDS[dtype])
    check_diffs(products_by_blob(kept), inputs, golden, BOUNDS[dtype])


@each_dtype
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str, dtype: torch.dtype) -> None:
    golden, net = arrays(name), golden_net(name).to(dtype)
    kept = keep_products(net)
    inputs, outputs = run(net, golden, dtype, [LOSSES[name]])
    check_blobs(outputs, golden, BOUNDS[dtype])
    loss = outputs[LOSSES[name]]
    objective = golden.get("objective", golden["loss"])
    assert_close_to_largest(loss, objective, "objective", BOUNDS[dtype])
    loss.backward()
    check_gradients(net, golden, BOUNDS[dtype])
    check_diffs(products_by_blob(kept), inputs, golden, BOUNDS[dtype])


@each_dtype
@pytest.mark.parametrize("name", ["lrcn_activity_tiny", "lrcn_2f_full_tiny"])
def test_loss_alone_with_layers_fused(name: str, dtype: torch.dtype) -> None:
    golden, net = arrays(name), golden_net(name).to(dtype)
    inputs = golden_inputs(net, golden, dtype)
    (loss,) = net(inputs).values()
    objective = golden.get("objective", golden["loss"])
    assert_close_to_largest(loss, objective, "objective", BOUNDS[dtype])
    loss.backward()
    check_gradients(net, golden, BOUNDS[dtype])


@each_dtype
@pytest.mark.parametrize("name", CAPTIONERS[:3])
def test_deploy_form_gives_probabilities(name: str, dtype: torch.dtype) -> None:
    golden, net = arrays(name), golden_net(f"{name}.deploy", name).to(dtype)
    outputs = net(golden_inputs(net, golden, dtype))
    assert list(outputs) == ["probs"]
    check_blobs(outputs, golden, BOUNDS[dtype])


@pytest.mark.parametrize("weights", ["caffenet_tiny", "caffenet_tiny_v1"])
@pytest.mark.parametrize("name", ["caffenet_tiny", "caffenet_tiny_v1"])
def test_old_and_new_form_go_together(name: str, weights: str) -> None:
    golden, net = arrays("caffenet_tiny"), golden_net(name, weights).double()
    outputs = net({"data": golden["data"]}, ["fc8", "prob"])
    check_blobs(outputs, golden, FORWARD)


@pytest.mark.parametrize(
    ("stages", "variant"),
    [
        (("unfactored", "1-layer"), "1u"),
        (("unfactored", "2-layer"), "2u"),
        (("factored", "2-layer"), "2f"),
    ],
)
def test_stages(stages: tuple[str, str], variant: str) -> None:
    golden = arrays(f"lrcn_{variant}_tiny")
    net = golden_net("lrcn_stages_tiny", f"lrcn_{variant}_tiny", stages=stages).double()
    loss = net(golden_inputs(net, golden, torch.float64))["cross_entropy_loss"]
    assert_close_to_largest(loss, golden["objective"], "objective")
