"""VGG-16 has torchvision's parameters and, where that is installed, its values."""

import pytest
import torch
from torch.nn import functional as F

from lrcn_fast.nn import VGG16
from tests.helpers import torchvision
from tests.helpers.tolerance import assert_equal_to_oracle, assert_no_worse_than_torch

CONVOLUTIONS = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
CHANNELS = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
LINEARS = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}


def test_parameters_are_torchvisions_by_name_and_shape() -> None:
    expected = {}
    for place, inputs, outputs in zip(CONVOLUTIONS, CHANNELS, CHANNELS[1:], strict=False):
        expected[f"features.{place}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{place}.bias"] = (outputs,)
    for place, (outputs, inputs) in LINEARS.items():
        expected[f"classifier.{place}.weight"] = (outputs, inputs)
        expected[f"classifier.{place}.bias"] = (outputs,)
    with torch.device("meta"):
        state = VGG16().state_dict()
    assert [(name, tuple(value.shape)) for name, value in state.items()] == [*expected.items()]


def test_values_are_torchvisions() -> None:
    theirs = torchvision.models().vgg16(num_classes=20).eval()
    ours = VGG16(num_classes=20).eval()
    ours.load_state_dict(theirs.state_dict(), assign=True)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected, actual = theirs(images), ours(images)
        # The two share their parameters, so both are float64 now.
        exact = theirs.double()(images.double())
    assert_no_worse_than_torch(actual, expected, exact, "scores")


def test_layers_are_named_as_in_caffe() -> None:
    with torch.device("meta"):
        names = [*VGG16().named_layers()]
    assert names[:4] == ["conv1_1", "conv1_2", "conv2_1", "conv2_2"]
    assert names[-4:] == ["conv5_3", "fc6", "fc7", "fc8"]
    assert len(names) == 16


@pytest.mark.parametrize("size", [(64, 32), (45, 71)])
def test_small_net_is_the_plain_composition(size: tuple[int, int]) -> None:
    net = VGG16("fc6", width=1 / 16, fc6=10, image_size=size).double().eval()
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    x = images
    for place, convolution in net.get_submodule("features").named_children():
        x = F.relu(convolution(x))
        if int(place) in (2, 7, 14, 21, 28):
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
    expected = F.relu(net.get_submodule("classifier.0")(x.flatten(1)))
    assert_equal_to_oracle(net(images), expected, "fc6")


def test_initialisation_is_torchvisions() -> None:
    net = VGG16(width=0.25, image_size=(32, 32))
    for name, layer in net.named_layers().items():
        weight, bias = layer.weight.detach(), layer.bias.detach()
        std = (2 / (weight.shape[0] * 9)) ** 0.5 if name.startswith("conv") else 0.01
        assert float(weight.std()) == pytest.approx(std, rel=0.15)
        assert not bias.any()
