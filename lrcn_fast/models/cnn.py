"""The convolutional part of an LRCN: images to fc6, from the paper's size down to a CPU's.

The layers are those of the released activity network (LRCN paper section 4, Caffe prototxt
``train_test_lstm_RGB``): convolutions in two groups, max-pooling whose last window may hang over
the edge, and response normalisation *after* the pooling.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CNN", "CNNConfig", "ConvLayer"]

POOL, POOL_STRIDE = 3, 2
FILLER_STD, FILLER_BIAS = 0.01, 0.1
INITS = ("paper", "he")


@dataclass(frozen=True)
class ConvLayer:
    """One convolution with its ReLU, and whether pooling and response normalisation follow it."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    pool: bool = False
    norm: bool = False

    def output_size(self, size: int) -> int:
        """Height or width after convolution and pooling, as Caffe computes them."""
        size = (size + 2 * self.padding - self.kernel) // self.stride + 1
        # Caffe rounds the pooled size up, so that the last window may be a partial one.
        return -((POOL - size) // POOL_STRIDE) + 1 if self.pool else size


@dataclass(frozen=True)
class CNNConfig:
    """Sizes of a :class:`CNN`.

    Attributes:
        layers: the convolutions, first one first.
        fc6: outputs of the fully connected layer.
        image_size: height and width (Y, X) of the images in pixels.
        in_channels: C of the images.
        init: ``"paper"`` for the released fillers (N(0, 0.01), biases 0.1), which expect pretrained
            weights or long training; ``"he"`` for He initialisation, to train from scratch.
        norm_alpha: alpha of the response normalisation; size 5, beta 0.75 and k 1 are fixed.
    """

    layers: tuple[ConvLayer, ...]
    fc6: int
    image_size: tuple[int, int]
    in_channels: int = 3
    init: str = "paper"
    norm_alpha: float = 1e-4

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers: expected at least one ConvLayer, got none")
        if self.init not in INITS:
            raise ValueError(f"init: expected one of {INITS}, got {self.init!r}")
        if len(self.image_size) != 2:
            raise ValueError(f"image_size: expected (height, width), got {self.image_size}")
        if min(self.fc6, self.in_channels) < 1:
            raise ValueError(
                f"fc6 and in_channels: expected at least 1, got {self.fc6} and {self.in_channels}"
            )
        channels = self.in_channels
        for index, layer in enumerate(self.layers):
            if channels % layer.groups or layer.channels % layer.groups:
                raise ValueError(
                    f"layers[{index}]: {channels} input and {layer.channels} output channels "
                    f"cannot be split into {layer.groups} groups"
                )
            channels = layer.channels
        for index, sizes in enumerate(self.spatial_sizes):
            if min(sizes) < 1:
                raise ValueError(
                    f"image_size: {self.image_size} is too small, nothing is left of it "
                    f"after layers[{index - 1}]"
                )

    @property
    def spatial_sizes(self) -> list[tuple[int, int]]:
        """(Y, X) of the image and after every layer, pooling included."""
        sizes = [self.image_size]
        for layer in self.layers:
            height, width = sizes[-1]
            sizes.append((layer.output_size(height), layer.output_size(width)))
        return sizes

    @property
    def fc6_inputs(self) -> int:
        """Values that fc6 sees of one image."""
        height, width = self.spatial_sizes[-1]
        return self.layers[-1].channels * height * width

    @classmethod
    def hyb2(cls, fc6: int = 4096, image_size: tuple[int, int] = (227, 227)) -> "CNNConfig":
        """The CaffeNet/ZF hybrid of the paper's activity recognition, 60.94 M parameters."""
        return cls(
            layers=(
                ConvLayer(96, 7, stride=2, pool=True, norm=True),
                ConvLayer(384, 5, stride=2, groups=2, pool=True, norm=True),
                ConvLayer(512, 3, padding=1),
                ConvLayer(512, 3, padding=1, groups=2),
                ConvLayer(384, 3, padding=1, groups=2, pool=True),
            ),
            fc6=fc6,
            image_size=image_size,
        )

    @classmethod
    def small(
        cls, fc6: int = 128, image_size: tuple[int, int] = (32, 32), in_channels: int = 3
    ) -> "CNNConfig":
        """Three strided convolutions for CPUs and small frames, to be trained from scratch.

        Strides instead of pooling keep the place of things, which motion is made of.
        """
        return cls(
            layers=(
                ConvLayer(16, 5, stride=2, padding=2),
                ConvLayer(32, 3, stride=2, padding=1),
                ConvLayer(32, 3, stride=2, padding=1),
            ),
            fc6=fc6,
            image_size=image_size,
            in_channels=in_channels,
            init="he",
        )


class CNN(nn.Module):
    """Images (N, C, Y, X) to the values of fc6 (N, fc6), before its ReLU.

    Layers are named as in Caffe: ``conv1`` .. and ``fc6``.
    """

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        self.config = config
        channels = [config.in_channels, *(layer.channels for layer in config.layers)]
        for index, ((inputs, outputs), layer) in enumerate(
            zip(pairwise(channels), config.layers, strict=True), start=1
        ):
            self.add_module(
                f"conv{index}",
                nn.Conv2d(
                    inputs, outputs, layer.kernel, layer.stride, layer.padding, groups=layer.groups
                ),
            )
        self.fc6 = nn.Linear(config.fc6_inputs, config.fc6)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew as ``config.init`` says."""
        for module in self.children():
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            assert module.bias is not None
            if self.config.init == "paper":
                nn.init.normal_(module.weight, std=FILLER_STD)
                nn.init.constant_(module.bias, FILLER_BIAS)
            else:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Compute fc6.

        Args:
            images: (N, C, Y, X), floating, with the mean already subtracted.

        Returns:
            (N, fc6): the output of the fully connected layer, before its ReLU.

        Raises:
            TypeError: ``images`` is not a floating tensor.
            ValueError: its sizes are not those of the configuration.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point():
            got = images.dtype if isinstance(images, Tensor) else type(images).__name__
            raise TypeError(f"images: expected a floating tensor (N, C, Y, X), got {got}")
        expected = (self.config.in_channels, *self.config.image_size)
        if images.dim() != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"images: expected shape (N, {expected[0]}, {expected[1]}, {expected[2]}), "
                f"got {tuple(images.shape)}"
            )
        x = images
        for index, layer in enumerate(self.config.layers, start=1):
            x = F.relu(self.get_submodule(f"conv{index}")(x))
            if layer.pool:
                x = F.max_pool2d(x, POOL, POOL_STRIDE, ceil_mode=True)
            if layer.norm:
                x = F.local_response_norm(x, 5, self.config.norm_alpha, 0.75, 1.0)
        output: Tensor = self.fc6(x.flatten(1))
        return output
