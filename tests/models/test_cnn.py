"""The CNN's sizes are the paper's, and bad sizes are refused by name."""

import pytest
import torch

from lrcn_fast.models import CNN, CNNConfig, ConvLayer


def test_the_papers_sizes() -> None:
    config = CNNConfig.hyb2()
    # conv1 111, pool1 55; conv2 26, pool2 13; conv3 to conv5 13, pool5 6.
    assert config.spatial_sizes == [(n, n) for n in (227, 55, 13, 13, 13, 6)]
    assert config.layers[0].kernel == 7
    assert (227 - 7) // 2 + 1 == 111
    assert config.fc6_inputs == 13824
    with torch.device("meta"):
        cnn = CNN(config)
        output = cnn(torch.empty(2, 3, 227, 227))
    assert output.shape == (2, 4096)
    assert sum(p.numel() for p in cnn.parameters()) == 60_937_856


def test_sizes_are_those_of_the_layers() -> None:
    config = CNNConfig(
        (ConvLayer(4, 3, pool=True, norm=True), ConvLayer(6, 3, 2, 1, groups=2, pool=True)),
        fc6=5,
        image_size=(17, 30),
        in_channels=2,
    )
    seen: list[tuple[int, int]] = []
    cnn = CNN(config)
    cnn.fc6.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    assert cnn(torch.randn(3, 2, 17, 30)).shape == (3, 5)
    assert seen == [(3, config.fc6_inputs)]


def test_paper_filler() -> None:
    config = CNNConfig((ConvLayer(64, 5),), fc6=64, image_size=(8, 8))
    cnn = CNN(config)
    conv1 = cnn.get_submodule("conv1")
    assert 0.009 < float(conv1.weight.detach().std()) < 0.011
    assert (
        float(conv1.bias.detach().min()) == float(conv1.bias.detach().max()) == pytest.approx(0.1)
    )
    assert 0.009 < float(cnn.fc6.weight.detach().std()) < 0.011


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ()}, "layers: expected at least one"),
        ({"init": "xavier"}, "init: expected one of"),
        ({"image_size": (4, 40)}, "image_size: .* too small"),
        ({"layers": (ConvLayer(4, 3, groups=2),)}, r"layers\[0\]: 3 input and 4 output"),
        ({"fc6": 0}, "fc6 and in_channels: expected at least 1"),
        ({"image_size": (4,)}, "image_size: expected"),
    ],
)
def test_bad_sizes(options: dict[str, object], message: str) -> None:
    sizes = {"layers": (ConvLayer(4, 5),), "fc6": 3, "image_size": (40, 40), **options}
    with pytest.raises(ValueError, match=message):
        CNNConfig(**sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(2, 3, 9, 9), ValueError, r"expected shape \(N, 3, 8, 8\), got \(2, 3, 9, 9\)"),
        (torch.zeros(3, 8, 8), ValueError, r"got \(3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), TypeError, "got torch.uint8"),
        ([1.0], TypeError, "got list"),
    ],
)
def test_bad_images(images: object, error: type[Exception], message: str) -> None:
    cnn = CNN(CNNConfig((ConvLayer(4, 3),), fc6=3, image_size=(8, 8)))
    with pytest.raises(error, match=message):
        cnn(images)
