"""The original Caffe's activity networks, pixel to loss and back, in float64."""

from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor, nn

from lrcn_fast.models import (
    ActivityConfig,
    ActivityRecognizer,
    CNNConfig,
    ConvLayer,
    FrameClassifier,
)
from tests.golden.caffe import SHARED, torch_order
from tests.helpers.caffemodel import read_caffemodel
from tests.helpers.tolerance import FORWARD, assert_equal_to_oracle

# Caffe keeps alpha in float32, also in a net of doubles.
ALPHA = float(numpy.float32(1e-4))


def load(name: str) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
    arrays, weights = SHARED / f"{name}.npz", SHARED / f"{name}.caffemodel"
    if not arrays.is_file() or not weights.is_file():
        pytest.skip(f"{name} is too large for the repository and {SHARED} does not hold it")
    with numpy.load(arrays) as golden:
        values = {key: torch.from_numpy(numpy.array(golden[key])) for key in golden.files}
    return values, read_caffemodel(Path(weights))


def config(fc6: int, hidden: int, classes: int) -> ActivityConfig:
    """hyb2 with a twelfth of the channels, as the golden nets are."""
    layers = (
        ConvLayer(8, 7, stride=2, pool=True, norm=True),
        ConvLayer(32, 5, stride=2, groups=2, pool=True, norm=True),
        ConvLayer(42, 3, padding=1),
        ConvLayer(42, 3, padding=1, groups=2),
        ConvLayer(32, 3, padding=1, groups=2, pool=True),
    )
    cnn = CNNConfig(layers, fc6=fc6, image_size=(69, 85), norm_alpha=ALPHA)
    return ActivityConfig(classes=classes, cnn=cnn, hidden_size=hidden)


CNN_LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6"]


@torch.no_grad()
def copy(module: nn.Module, blobs: list[Tensor]) -> None:
    for parameter, blob in zip(module.parameters(), blobs, strict=True):
        parameter.copy_(blob)


def check_gradients(module: nn.Module, golden: dict[str, Tensor], layer: str) -> None:
    for index, parameter in enumerate(module.parameters()):
        assert parameter.grad is not None
        check(parameter.grad, golden[f"grad/{layer}/{index}"], f"gradient of {layer} {index}")


def check(actual: Tensor, expected: Tensor, name: str) -> None:
    """Relative to the largest magnitude, however small that is."""
    scale = expected.abs().max()
    assert_equal_to_oracle(actual / scale, expected / scale, name, FORWARD)


def test_single_frame_net() -> None:
    golden, weights = load("hyb2_tiny")
    model = FrameClassifier(config(fc6=44, hidden=36, classes=23)).double().eval()
    for name in CNN_LAYERS:
        copy(model.cnn.get_submodule(name), weights[name])
    copy(model.fc7, weights["fc7"])
    copy(model.fc8, weights["fc8-ucf"])
    images = golden["data"].double().requires_grad_()
    fc6 = model.cnn(images)
    check(fc6.relu(), golden["blob/fc6"], "fc6")
    scores = model(images.unsqueeze(0))[0]
    check(scores, golden["blob/fc8-ucf"], "fc8-ucf")
    check(model.predict(images.unsqueeze(1)), golden["blob/prob"].mean(0, keepdim=True), "prob")
    scores.backward(golden["topdiff/fc8-ucf"])
    assert images.grad is not None
    check(images.grad[0], golden["diff/data[0]"], "gradient of the first image")
    for name in CNN_LAYERS:
        check_gradients(model.cnn.get_submodule(name), golden, name)
    check_gradients(model.fc7, golden, "fc7")
    check_gradients(model.fc8, golden, "fc8-ucf")


def test_activity_net() -> None:
    golden, weights = load("lrcn_activity_tiny")
    model = ActivityRecognizer(config(fc6=40, hidden=20, classes=11)).double().eval()
    for name in CNN_LAYERS:
        copy(model.cnn.get_submodule(name), weights[name])
    copy(model.fc8, weights["fc8-final"])
    w_xc, b_c, w_hc = (torch_order(blob) for blob in weights["lstm1"])
    copy(model.lstm, [w_xc, w_hc, b_c, torch.zeros_like(b_c)])
    cont, labels = golden["cont"], golden["label"].long()
    images = golden["data"].double().requires_grad_()
    check(model.cnn(images).relu(), golden["blob/fc6"], "fc6")
    scores, (h_n, c_n) = model(images.unflatten(0, cont.shape), cont=cont)
    check(scores, golden["blob/fc8-final"], "fc8-final")
    check(scores.softmax(-1), golden["blob/probs"], "probs")
    check(h_n[0], golden["blob/lstm1"][-1], "last h")
    check(c_n[0], golden["blob/lstm1_c"][-1], "last c")
    loss = model.loss(scores, labels)
    check(loss, golden["loss"], "loss")
    loss.backward()
    assert images.grad is not None
    check(images.grad[0], golden["diff/data[0]"], "gradient of the first image")
    for name in CNN_LAYERS:
        check_gradients(model.cnn.get_submodule(name), golden, name)
    check_gradients(model.fc8, golden, "fc8-final")
    gradients = [golden[f"grad/lstm1/{index}"] for index in (0, 2, 1, 1)]
    for (name, parameter), gradient in zip(model.lstm.named_parameters(), gradients, strict=True):
        assert parameter.grad is not None
        check(parameter.grad, torch_order(gradient), f"gradient of {name}")
