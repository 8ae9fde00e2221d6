"""ReLU, Pooling and LRN layers in a row are one operator; which ones, and with what results."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn_fast.caffe import CaffeError, Net, fusion
from tests.caffe.nets import build, input_layer, layer
from tests.helpers.tolerance import CAFFE_FLOAT, FORWARD, GRADIENT, assert_close_to_largest

SHAPE = (2, 6, 9, 11)
LAYERS = {
    "relu": ("ReLU", ""),
    "pool": ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }"),
    "norm": ("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }"),
}


def chain(*names: str, in_place: bool = False) -> str:
    """Layers in a row from x; with ``in_place`` a ReLU works on the convolution's blob."""
    product = 'convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "xavier" } }'
    text, blob = input_layer(x=SHAPE) + layer("Convolution", "x", "conv", product, "conv"), "conv"
    for name in names:
        top = blob if in_place and name == "relu" else name
        kind, more = LAYERS[name]
        text += layer(kind, blob, top, more, name)
        blob = top
    return text


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """The names of the layers of each fused chain that ran."""
    found: list[tuple[str, ...]] = []
    run = fusion.run_chain

    def record(layers: list[torch.nn.Module], x: Tensor) -> Tensor:
        found.append(tuple(layer.name for layer in layers))
        return run(layers, x)

    monkeypatch.setattr("lrcn_fast.caffe.net.run_chain", record)
    return found


def outputs_and_gradients(net: Net, blobs: list[str], x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    outputs = net({"x": x}, blobs)
    last = outputs[blobs[-1]]
    generator = torch.Generator().manual_seed(1)
    last.backward(torch.randn(last.shape, generator=generator, dtype=last.dtype))
    gradients = [parameter.grad for parameter in net.parameters()]
    net.zero_grad()
    return [last.detach(), x.grad, *gradients]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    "names",
    [("relu", "pool", "norm"), ("relu", "norm", "pool"), ("pool", "norm"), ("norm", "pool"),
     ("relu", "pool"), ("relu", "norm")],
)  # fmt: skip
def test_chains(
    names: tuple[str, ...], in_place: bool, calls: list[tuple[str, ...]], tmp_path: Path
) -> None:
    net = build(tmp_path, chain(*names, in_place=in_place)).double()
    x = torch.randn(SHAPE, dtype=torch.float64)
    ours = outputs_and_gradients(net, [names[-1]], x)
    assert calls == [names]
    calls.clear()
    # Blobs between that are asked for part the chain into its layers.
    apart = outputs_and_gradients(net, [*net.blobs[1:-1], names[-1]], x)
    assert calls == []
    for index, (one, other) in enumerate(zip(ours, apart, strict=True)):
        assert_close_to_largest(one, other, f"{index}", GRADIENT if index else FORWARD)


def test_a_blob_that_is_asked_for_ends_a_chain(
    calls: list[tuple[str, ...]], tmp_path: Path
) -> None:
    net = build(tmp_path, chain("relu", "pool", "norm"))
    x = torch.randn(SHAPE)
    net({"x": x}, ["pool", "norm"])
    net({"x": x}, ["relu", "norm"])
    net({"x": x}, ["conv", "norm"])
    assert calls == [("relu", "pool"), ("pool", "norm"), ("relu", "pool", "norm")]


def test_a_blob_that_another_layer_reads_ends_a_chain(
    calls: list[tuple[str, ...]], tmp_path: Path
) -> None:
    text = chain("relu", "pool", "norm") + layer("TanH", "pool", "other", name="other")
    net = build(tmp_path, text)
    x = torch.randn(SHAPE)
    net({"x": x})
    net({"x": x}, ["norm"])
    assert calls == [("relu", "pool"), ("relu", "pool", "norm")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stride: 2", "stride: 2 pool: AVE"),
        ("stride: 2", "stride: 2 pad: 1"),
        ("kernel_size: 3 stride: 2", "global_pooling: true"),
        ("local_size: 3", "local_size: 3 norm_region: WITHIN_CHANNEL"),
        ('name: "relu"', 'name: "relu" relu_param { negative_slope: 0.1 }'),
    ],
)
def test_what_the_operator_cannot_do_stays_a_layer(
    old: str, new: str, calls: list[tuple[str, ...]], tmp_path: Path
) -> None:
    text = chain("relu", "pool", "norm")
    assert old in text
    net = build(tmp_path, text.replace(old, new))
    assert net({"x": torch.randn(SHAPE)})["norm"].isfinite().all()
    assert ("relu", "pool", "norm") not in calls


def test_a_layer_with_a_hook_is_called(calls: list[tuple[str, ...]], tmp_path: Path) -> None:
    net, seen = build(tmp_path, chain("relu", "pool", "norm")), []
    handle = net.get_submodule("pool").register_forward_hook(lambda *call: seen.append(call[2]))
    x = torch.randn(SHAPE)
    hooked = net({"x": x})["norm"]
    assert len(seen) == 1 and calls == []
    handle.remove()
    assert_close_to_largest(net({"x": x})["norm"].double(), hooked.double(), "norm", CAFFE_FLOAT)
    assert len(seen) == 1 and len(calls) == 1


def test_an_error_names_all_layers_of_the_chain(tmp_path: Path) -> None:
    text = chain("relu", "pool").replace("kernel_size: 3 stride: 2", "kernel_size: 1 stride: 5")
    net = build(tmp_path, text.replace("dim: 9 dim: 11", "dim: 6 dim: 11"))
    wanted = r"layer 'relu' \(ReLU\) \+ 'pool' \(Pooling\).*past the end"
    with pytest.raises(CaffeError, match=wanted):
        net({"x": torch.randn(2, 6, 8, 11)})
