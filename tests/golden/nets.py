"""The golden files of the original Caffe's CNNs: arrays, weights, and how they are compared."""

import numpy
import pytest
import torch
from torch import Tensor, nn

from tests.golden.caffe import SHARED
from tests.helpers.caffemodel import read_caffemodel
from tests.helpers.tolerance import FORWARD, assert_equal_to_oracle


def load_net(name: str) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
    """The arrays of ``<name>.npz``, and the blobs of each layer of ``<name>.caffemodel``."""
    arrays, weights = SHARED / f"{name}.npz", SHARED / f"{name}.caffemodel"
    if not arrays.is_file() or not weights.is_file():
        pytest.skip(f"{name} is too large for the repository and {SHARED} does not hold it")
    with numpy.load(arrays) as golden:
        values = {key: torch.from_numpy(numpy.array(golden[key])) for key in golden.files}
    return values, read_caffemodel(weights)


@torch.no_grad()
def copy(module: nn.Module, blobs: list[Tensor]) -> None:
    """Put blobs into a module's parameters, in their order."""
    for parameter, blob in zip(module.parameters(), blobs, strict=True):
        parameter.copy_(blob)


def check(actual: Tensor, expected: Tensor, name: str) -> None:
    """Relative to the largest magnitude, however small that is."""
    scale = expected.abs().max()
    assert_equal_to_oracle(actual / scale, expected / scale, name, FORWARD)


def check_gradients(module: nn.Module, golden: dict[str, Tensor], layer: str) -> None:
    """The gradient of every parameter of a module against those of a layer of Caffe."""
    for index, parameter in enumerate(module.parameters()):
        assert parameter.grad is not None
        check(parameter.grad, golden[f"grad/{layer}/{index}"], f"gradient of {layer} {index}")
