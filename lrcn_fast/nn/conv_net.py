"""What CaffeNet, the hybrid net and VGG-16 share: convolutions, then fc6, fc7 and fc8."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcn_fast._arguments import check_floating, describe
from lrcn_fast.functional.relu_max_pool_lrn import relu_max_pool_lrn
from lrcn_fast.ops.linear import project

__all__ = ["FEATURES", "ConvLayer", "ConvNet"]

FEATURES = ("pool5", "fc6", "fc7", "fc8")

LRN_ALPHA = 9.99999974737875e-05
"""1e-4 in float32, as which Caffe keeps it also in a net of doubles."""

REUSED_BYTES = 28 << 20
"""The C library gives blocks of 32 MiB back to the system, and a new one comes page by page."""


@dataclass(frozen=True)
class ConvLayer:
    """One convolution with its ReLU, and the pooling and response normalisation that follow.

    Attributes:
        name: the layer's name in Caffe.
        channels: outputs.
        kernel: height and width of the filters.
        stride: of the filters.
        padding: zeros around the image.
        groups: contiguous groups of channels, each convolved by itself.
        pool: height and width of the max-pooling's window, whose stride is 2; 0 for no pooling.
        norm: whether local response normalisation follows: 5 channels, alpha 1e-4, beta 0.75, k 1.
    """

    name: str
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    pool: int = 0
    norm: bool = False

    def scaled(self, width: float) -> "ConvLayer":
        """The layer with ``width`` times the channels, rounded to an even number."""
        return replace(self, channels=2 * max(1, round(self.channels * width / 2)))

    def conv_size(self, size: int) -> int:
        """Height or width after the convolution."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    def output_size(self, size: int) -> int:
        """Height or width after convolution and pooling, as Caffe computes them."""
        size = self.conv_size(size)
        # Caffe rounds the pooled size up, so that the last window may be a partial one.
        return -((self.pool - size) // 2) + 1 if self.pool else size


class _Linear(nn.Linear):
    """torch.nn.Linear with the library that reads a large weight fastest."""

    def forward(self, input: Tensor) -> Tensor:
        return project(input, self.weight, self.bias)


class ConvNet(nn.Module):
    """Images (N, C, Y, X) to the value of one of Caffe's blobs.

    ===== ===================================================== ==================
    pool5 the last convolution, after ReLU and pooling          (N, channels, Y, X)
    fc6   after ReLU, and in training after dropout             (N, fc6)
    fc7   after ReLU, and in training after dropout             (N, fc7)
    fc8   the class scores, before any softmax                  (N, num_classes)
    ===== ===================================================== ==================

    Layers behind the one asked for do not exist. Everything is computed channels_last, whatever the
    memory format of the images.

    Args:
        features: the blob to return.
        width: factor on the channels of all convolutions, rounded to even numbers, and on fc6 and
            fc7 where these are not given.
        num_classes: outputs of fc8.
        fc6: outputs of fc6.
        fc7: outputs of fc7.
        image_size: (Y, X) of the images in pixels, from which the inputs of fc6 follow; the
            original's when None. With ``features="pool5"`` images of any size will do.
        in_channels: C of the images.
        dropout: probability with which outputs of fc6 and fc7 are dropped in training.

    Attributes:
        feature_size: F, the values that the net returns of one image of ``image_size``.
        options: the arguments behind ``features``, which make a net of the same sizes; JSON values.

    Raises:
        ValueError: a size or name makes no sense, or nothing is left of the image.
    """

    LAYERS: ClassVar[tuple[ConvLayer, ...]]
    PATHS: ClassVar[dict[str, str]] = {}
    """Where the state_dict has the parameters of a layer, if not under its name in Caffe."""
    FULLY_CONNECTED: ClassVar[int] = 4096
    IMAGE_SIZE: ClassVar[tuple[int, int]] = (227, 227)

    feature_size: int

    def __init__(
        self,
        features: str = "fc8",
        *,
        width: float = 1.0,
        num_classes: int = 1000,
        fc6: int | None = None,
        fc7: int | None = None,
        image_size: tuple[int, int] | None = None,
        in_channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if features not in FEATURES:
            raise ValueError(f"features: expected one of {FEATURES}, got {features!r}")
        if not width > 0:
            raise ValueError(f"width: expected a number above 0, got {width}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected 0 <= p < 1, got {dropout}")
        size = self.IMAGE_SIZE if image_size is None else tuple(image_size)
        if len(size) != 2:
            raise ValueError(f"image_size: expected (height, width), got {image_size}")
        hidden = max(1, round(self.FULLY_CONNECTED * width))
        outputs = {
            "fc6": hidden if fc6 is None else fc6,
            "fc7": hidden if fc7 is None else fc7,
            "num_classes": num_classes,
        }
        for name, count in {"in_channels": in_channels, **outputs}.items():
            if count < 1:
                raise ValueError(f"{name}: expected at least 1, got {count}")
        self.options = {
            "width": width,
            **outputs,
            "image_size": list(size),
            "in_channels": in_channels,
            "dropout": dropout,
        }
        self.blob = features
        self.image_size = size
        self.in_channels = in_channels
        self.dropout = dropout
        self.layers = tuple(layer.scaled(width) for layer in self.LAYERS)
        self._paths: dict[str, str] = {}
        self._add_convolutions()
        names = FEATURES[1 : FEATURES.index(features) + 1]
        for name, count in zip(names, outputs.values(), strict=False):
            self._place(name, _Linear(self.feature_size, count))
            self.feature_size = count
        self.reset_parameters()

    def _add_convolutions(self) -> None:
        channels, (height, width) = self.in_channels, self.image_size
        for layer in self.layers:
            conv = nn.Conv2d(
                channels,
                layer.channels,
                layer.kernel,
                layer.stride,
                layer.padding,
                groups=layer.groups,
            )
            self._place(layer.name, conv)
            channels = layer.channels
            height, width = layer.output_size(height), layer.output_size(width)
            if min(height, width) < 1:
                raise ValueError(
                    f"image_size: {self.image_size} is too small, nothing is left of it "
                    f"after {layer.name}"
                )
        self.feature_size = channels * height * width

    def _place(self, name: str, module: nn.Module) -> None:
        self._paths[name] = self.PATHS.get(name, name)
        folder, _, last = self._paths[name].rpartition(".")
        if folder and folder not in self._modules:
            self.add_module(folder, nn.ModuleDict())
        self.get_submodule(folder).add_module(last, module)

    def named_layers(self) -> dict[str, nn.Module]:
        """The convolutions and fully connected layers by their names in Caffe, first one first."""
        return {name: self.get_submodule(path) for name, path in self._paths.items()}

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for name, layer in self.named_layers().items():
            assert isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None
            self._fill(name, layer.weight, layer.bias)

    def _fill(self, name: str, weight: Tensor, bias: Tensor) -> None:
        """Draw the weights of the layer called ``name``."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of all images.

        Args:
            images: (N, C, Y, X), floating, with the mean already subtracted.

        Returns:
            (N, channels, Y, X) of the last pooling with ``features="pool5"``, else (N, F).

        Raises:
            TypeError: ``images`` is not a floating tensor.
            ValueError: its sizes are not those that the net was made for.
        """
        check_floating("images", images)
        free = self.blob == "pool5"
        expected = (self.in_channels, *(images.shape[2:] if free else self.image_size))
        if images.dim() != 4 or tuple(images.shape[1:]) != expected:
            sizes = f"{self.in_channels}, Y, X" if free else ", ".join(map(str, expected))
            raise ValueError(f"images: expected shape (N, {sizes}), got {describe(images)}")
        modules = self.named_layers()
        x = images
        for layer in self.layers:
            x = self._convolve(x, layer, modules[layer.name])
        if free:
            return x
        x = x.flatten(1)
        for name in ("fc6", "fc7"):
            if name in modules:
                x = F.relu(modules[name](x), inplace=True)
                x = F.dropout(x, self.dropout, self.training)
        scores: Tensor = modules["fc8"](x) if "fc8" in modules else x
        return scores

    def _convolve(self, x: Tensor, layer: ConvLayer, conv: nn.Module) -> Tensor:
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return _one_layer(x, layer, conv)
        height, width = (layer.conv_size(size) for size in x.shape[2:])
        bytes_each = layer.channels * height * width * x.element_size()
        at_once = max(1, REUSED_BYTES // max(1, bytes_each))
        if len(x) <= at_once:
            return _one_layer(x, layer, conv)
        return torch.cat([_one_layer(images, layer, conv) for images in x.split(at_once)])

    def extra_repr(self) -> str:
        """What the printed layers do not show."""
        return f"features={self.blob!r}, image_size={self.image_size}, dropout={self.dropout}"


def _one_layer(x: Tensor, layer: ConvLayer, conv: nn.Module) -> Tensor:
    x = conv(x.contiguous(memory_format=torch.channels_last))
    if not (layer.pool or layer.norm):
        return F.relu(x, inplace=True)
    return relu_max_pool_lrn(
        x,
        kernel_size=layer.pool or None,
        lrn_size=5 if layer.norm else None,
        alpha=LRN_ALPHA,
    )
