"""CaffeNet and the hybrid net: the original Caffe's values, sizes, fillers; bad arguments."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast.caffe import load_weights
from lrcn_fast.nn import VGG16, CaffeNet, HybridNet
from lrcn_fast.nn.conv_net import FEATURES, ConvNet
from tests.golden.nets import check_gradients, load_net
from tests.helpers.tolerance import assert_close_to_largest as check
from tests.helpers.tolerance import assert_no_worse_than_torch

TINY = {
    CaffeNet: ("caffenet_tiny", {"fc6": 48, "fc7": 40, "num_classes": 29, "image_size": (71, 87)}),
    HybridNet: ("hyb2_tiny", {"fc6": 44, "fc7": 36, "num_classes": 23, "image_size": (69, 85)}),
}
"""The golden nets have a twelfth of the channels."""


def tiny(build: type[ConvNet], features: str = "fc8", **changed: object) -> ConvNet:
    sizes = {**TINY[build][1], **changed}
    return build(features, width=1 / 12, **sizes).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("build", TINY)
def test_golden(build: type[ConvNet], features: str, layout: torch.memory_format) -> None:
    golden, weights = load_net(TINY[build][0])
    # The release called the last layer of its single-frame net fc8-ucf.
    last = "fc8-ucf" if build is HybridNet else "fc8"
    caffes = {"fc8": last}
    net = tiny(build, features).double()
    load_weights(net, weights)
    images = golden["data"].double().contiguous(memory_format=layout).requires_grad_()
    values = net(images)
    check(values, golden[f"blob/{caffes.get(features, features)}"], features)
    if features != "fc8":
        return
    values.backward(golden[f"topdiff/{last}"])
    assert images.grad is not None
    check(images.grad[0], golden["diff/data[0]"], "gradient of the first image")
    for name, layer in net.named_layers().items():
        check_gradients(layer, golden, caffes.get(name, name))


def compose(net: ConvNet, x: Tensor) -> Tensor:
    """The same net as a user writes it in torch."""
    modules = net.named_layers()
    for layer in net.layers:
        x = F.relu(modules[layer.name](x))
        if layer.pool:
            x = F.max_pool2d(x, layer.pool, 2, ceil_mode=True)
        if layer.norm:
            x = F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
    x = x.flatten(1)
    for name in ("fc6", "fc7"):
        x = F.relu(modules[name](x))
    scores: Tensor = modules["fc8"](x)
    return scores


@pytest.mark.parametrize("build", TINY)
def test_float32_is_as_exact_as_torch(build: type[ConvNet]) -> None:
    net = tiny(build)
    images = 64 * torch.randn(3, 3, *net.image_size)
    theirs, exact = compose(net, images), compose(net.double(), images.double())
    assert_no_worse_than_torch(net.float()(images), theirs, exact, "scores")


def test_many_images_are_computed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    net, images = tiny(HybridNet).double(), torch.randn(5, 3, 69, 85, dtype=torch.float64)
    whole = net(images)
    gradients = torch.autograd.grad(whole.sum(), [*net.parameters()])
    seen: list[int] = []
    net.get_submodule("conv1").register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    monkeypatch.setattr("lrcn_fast.nn.conv_net.REUSED_BYTES", 2 * 8 * 8 * 32 * 40)
    pieces = net(images)
    assert seen == [2, 2, 1]
    check(pieces, whole, "scores")
    for ours, theirs in zip(torch.autograd.grad(pieces.sum(), [*net.parameters()]), gradients):
        check(ours, theirs, "gradient")


@pytest.mark.parametrize(
    ("build", "parameters", "inputs"),
    [(CaffeNet, 60_965_224, 9216), (HybridNet, 81_816_168, 13824), (VGG16, 138_357_544, 25088)],
)
def test_the_originals_sizes(build: type[ConvNet], parameters: int, inputs: int) -> None:
    with torch.device("meta"):
        nets = {features: build(features) for features in FEATURES}
        images = torch.empty(2, 3, *build.IMAGE_SIZE)
        for features, size in zip(FEATURES, (inputs, 4096, 4096, 1000), strict=True):
            assert nets[features].feature_size == nets[features](images)[0].numel() == size
    assert sum(p.numel() for p in nets["fc8"].parameters()) == parameters
    assert "fc7" not in nets["fc6"].named_layers()
    assert nets["pool5"](images).dim() == 4


def test_pool5_takes_images_of_any_size() -> None:
    net = tiny(CaffeNet, "pool5")
    assert net(torch.randn(2, 3, 71, 87)).shape == (2, 22, 2, 2)
    assert net(torch.randn(1, 3, 103, 71)).shape == (1, 22, 3, 2)


def test_dropout_follows_fc6_and_fc7_in_training() -> None:
    net, images = tiny(HybridNet, "fc7"), torch.randn(4, 3, 69, 85)
    below = tiny(HybridNet, "fc6")
    below.load_state_dict(net.state_dict(), strict=False)
    fc6 = below(images)
    torch.manual_seed(1)
    expected = F.dropout(F.relu(net.named_layers()["fc7"](F.dropout(fc6, 0.5))), 0.5)
    torch.manual_seed(1)
    assert torch.equal(net.train()(images), expected)
    assert not torch.equal(net(images), expected)
    assert torch.equal(net.eval()(images), net(images))


FILLERS = {
    CaffeNet: {"conv1": (0.01, 0), "conv2": (0.01, 1), "conv3": (0.01, 0), "conv4": (0.01, 1),
               "conv5": (0.01, 1), "fc6": (0.005, 1), "fc7": (0.005, 1), "fc8": (0.01, 0)},
    HybridNet: {"conv1": (0.01, 0.1), "conv2": (0.01, 0.1), "conv3": (0.01, 0.1),
                "conv4": (0.01, 0.1), "conv5": (0.01, 0.1), "fc6": (0.01, 0.1), "fc7": (0.01, 0.1),
                "fc8": (0.01, 0)},
}  # fmt: skip


@pytest.mark.parametrize("build", FILLERS)
def test_fillers(build: type[ConvNet]) -> None:
    net = build(width=0.25, image_size=(99, 99))
    for name, layer in net.named_layers().items():
        assert isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None
        std, bias = FILLERS[build][name]
        assert float(layer.weight.detach().std()) == pytest.approx(std, rel=0.1)
        assert bool((layer.bias == bias).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "conv4"}, r"features: expected one of \('pool5', .*got 'conv4'"),
        ({"width": 0}, "width: expected a number above 0, got 0"),
        ({"width": float("nan")}, "width: expected a number above 0"),
        ({"image_size": (20, 227)}, r"image_size: \(20, 227\) is too small, .* after conv2"),
        ({"image_size": (227,)}, r"image_size: expected \(height, width\)"),
        ({"fc6": 0}, "fc6: expected at least 1, got 0"),
        ({"fc7": -1}, "fc7: expected at least 1, got -1"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        ({"dropout": 1.0}, "dropout: expected 0 <= p < 1, got 1.0"),
    ],
)
def test_bad_sizes(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CaffeNet(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "images", "error", "message"),
    [
        ("fc6", torch.zeros(2, 3, 87, 71), ValueError, r"shape \(N, 3, 71, 87\), .*\(2, 3, 87, 71"),
        ("fc6", torch.zeros(3, 71, 87), ValueError, r"shape \(N, 3, 71, 87\)"),
        ("pool5", torch.zeros(2, 1, 71, 87), ValueError, r"shape \(N, 3, Y, X\)"),
        ("pool5", torch.zeros(3, 71, 87), ValueError, r"shape \(N, 3, Y, X\)"),
        ("fc6", torch.zeros(2, 3, 71, 87, dtype=torch.uint8), TypeError, "floating dtype"),
        ("fc6", [1.0], TypeError, "images: expected a tensor, got a list"),
    ],
)
def test_bad_images(features: str, images: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny(CaffeNet, features)(images)
