"""The golden files of the original Caffe's nets: arrays, weights, comparison of gradients."""

from pathlib import Path

from torch import Tensor, nn

from lrcn_fast.models import Captioner
from tests.golden.caffe import arrays, golden_file
from tests.helpers.tolerance import assert_close_to_largest


def load_net(name: str) -> tuple[dict[str, Tensor], Path]:
    """The arrays of ``<name>.npz``, and the file of the weights."""
    return arrays(name), golden_file(f"{name}.caffemodel")


def check_gradients(module: nn.Module, golden: dict[str, Tensor], layer: str) -> None:
    """The gradient of every parameter of a module against those of a layer of Caffe."""
    for index, parameter in enumerate(module.parameters()):
        assert parameter.grad is not None
        key = f"grad/{layer}/{index}"
        assert_close_to_largest(parameter.grad, golden[key], key)


def golden_captioner(name: str, variant: str) -> tuple[Captioner, dict[str, Tensor]]:
    """A captioner with the weights of a golden net, in float64, and the arrays of that net."""
    golden, weights = load_net(name)
    prototxt = golden_file(f"{name}.deploy.prototxt")
    model = Captioner.from_caffe(prototxt, weights)
    assert model.config.variant == variant
    return model.double(), golden
