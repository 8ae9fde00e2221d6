"""The nets and FrameFeatures under torch.compile, torch.export, autocast, copying and pickling."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from lrcn_fast.nn import VGG16, CaffeNet, FrameFeatures, HybridNet
from lrcn_fast.nn.conv_net import ConvNet
from tests.helpers.tolerance import assert_equal_to_oracle

SIZES = {CaffeNet: (71, 87), HybridNet: (69, 85), VGG16: (40, 33)}


def tiny(build: type[ConvNet]) -> ConvNet:
    return build("fc6", width=1 / 12, fc6=20, image_size=SIZES[build]).double().eval()


def images(build: type[ConvNet], count: int) -> Tensor:
    return torch.randn(count, 3, *SIZES[build], dtype=torch.float64)


def with_gradients(module: nn.Module, *arguments: Tensor) -> list[Tensor]:
    result = module(*arguments)
    return [result, *torch.autograd.grad(result.square().sum(), [*module.parameters()])]


@pytest.mark.parametrize("build", SIZES)
def test_compiled_net(build: type[ConvNet]) -> None:
    torch.compiler.reset()
    net = tiny(build)
    compiled = torch.compile(net, fullgraph=True, dynamic=True, backend="aot_eager")
    for count in (3, 5):
        x = images(build, count)
        for ours, eager in zip(with_gradients(compiled, x), with_gradients(net, x), strict=True):
            assert_equal_to_oracle(ours, eager, f"result of {count} images")


def test_compiled_frame_features() -> None:
    torch.compiler.reset()
    features = FrameFeatures(tiny(HybridNet), max_frames=4)
    compiled = torch.compile(features, fullgraph=True, backend="aot_eager")
    frames = images(HybridNet, 10).unflatten(0, (5, 2))
    for ours, eager in zip(
        with_gradients(compiled, frames), with_gradients(features, frames), strict=True
    ):
        assert_equal_to_oracle(ours, eager, "result")


@pytest.mark.parametrize("build", SIZES)
def test_exported_net(build: type[ConvNet]) -> None:
    net = tiny(build)
    count = torch.export.Dim("count", min=1, max=64)
    exported = torch.export.export(
        net, (images(build, 3),), dynamic_shapes={"images": {0: count}}
    ).module()
    x = images(build, 7)
    assert_equal_to_oracle(exported(x), net(x), "features")


@pytest.mark.parametrize("build", SIZES)
def test_autocast(build: type[ConvNet]) -> None:
    net, x = tiny(build).float(), images(build, 2).float()
    with torch.autocast("cpu", torch.bfloat16):
        features = net(x)
        features.float().sum().backward()
    assert features.dtype == torch.bfloat16
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())


def test_copies_compute_the_same() -> None:
    net, x = tiny(HybridNet), images(HybridNet, 2)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x), net(x))
        assert twin.named_layers().keys() == net.named_layers().keys()
