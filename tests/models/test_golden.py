"""The original Caffe's activity networks, pixel to loss and back, in float64."""

from torch import nn

from lrcn_fast.caffe import load_weights
from lrcn_fast.models import ActivityConfig, ActivityRecognizer, FrameClassifier
from lrcn_fast.nn import HybridNet
from tests.golden.caffe import torch_order
from tests.golden.nets import check_gradients, load_net
from tests.helpers.tolerance import assert_close_to_largest as check


def config(fc6: int, hidden: int, classes: int) -> ActivityConfig:
    """The hybrid net with a twelfth of the channels, as the golden nets are."""
    return ActivityConfig(classes, width=1 / 12, fc6=fc6, image_size=(69, 85), hidden_size=hidden)


def layers_of(model: ActivityRecognizer | FrameClassifier) -> dict[str, nn.Module]:
    assert isinstance(model.features.net, HybridNet)
    return model.features.net.named_layers()


def test_single_frame_net() -> None:
    golden, weights = load_net("hyb2_tiny")
    model = FrameClassifier(config(fc6=44, hidden=36, classes=23)).double().eval()
    # The release renamed its last layer, so that weights of ImageNet would not be copied into it.
    released = {"fc8": "fc8-ucf"}
    load_weights(model, weights)
    images = golden["data"].double().requires_grad_()
    scores = model(images.unsqueeze(0))[0]
    check(scores, golden["blob/fc8-ucf"], "fc8-ucf")
    check(model.predict(images.unsqueeze(1)), golden["blob/prob"].mean(0, keepdim=True), "prob")
    scores.backward(golden["topdiff/fc8-ucf"])
    assert images.grad is not None
    check(images.grad[0], golden["diff/data[0]"], "gradient of the first image")
    for name, layer in layers_of(model).items():
        check_gradients(layer, golden, released.get(name, name))


def test_activity_net() -> None:
    golden, weights = load_net("lrcn_activity_tiny")
    model = ActivityRecognizer(config(fc6=40, hidden=20, classes=11)).double().eval()
    # With few frames at a time and nothing kept for the backward the results are the same.
    model.features.max_frames, model.features.recompute = 5, True
    load_weights(model, weights)
    cont, labels = golden["cont"], golden["label"].long()
    images = golden["data"].double().requires_grad_()
    check(model.features.net(images), golden["blob/fc6"], "fc6")
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
    for name, layer in layers_of(model).items():
        check_gradients(layer, golden, name)
    check_gradients(model.fc8, golden, "fc8-final")
    gradients = [golden[f"grad/lstm1/{index}"] for index in (0, 2, 1, 1)]
    for (name, parameter), gradient in zip(model.lstm.named_parameters(), gradients, strict=True):
        assert parameter.grad is not None
        check(parameter.grad, torch_order(gradient), f"gradient of {name}")
