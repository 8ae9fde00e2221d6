"""Layers on images (N, C, Y, X): Convolution, Pooling, LRN."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Layer, Shape
from lrcn_fast.functional import relu_max_pool_lrn
from lrcn_fast.reference.relu_max_pool_lrn import BLOCKED

__all__ = ["LRN", "Convolution", "Pooling"]

MAX, AVERAGE = 0, 1
ACROSS_CHANNELS, CEIL = 0, 0


def _pair(parameter: Any, name: str, default: int | None) -> tuple[int, int]:
    """(Y, X) from ``name``, given once or for each axis, or from ``name_h`` and ``name_w``."""
    short, least = name.removesuffix("_size"), 0 if name == "pad" else 1
    values = getattr(parameter, name)
    if isinstance(values, int):
        values = [values] if parameter.HasField(name) else []
    sides = [f"{short}_{letter}" for letter in "hw"]
    # Of dilation there are none.
    known = parameter.DESCRIPTOR.fields_by_name
    if any(side in known and parameter.HasField(side) for side in sides):
        values = [getattr(parameter, side) for side in sides]
    if not values and default is not None:
        values = [default]
    if len(values) not in (1, 2):
        raise CaffeError(f"{name}: expected one number or two, got {len(values)}")
    if min(values) < least:
        raise CaffeError(f"{name}: expected at least {least}, got {list(values)}")
    return values[0], values[-1]


def _check_images(shapes: Sequence[Shape]) -> None:
    for shape in shapes:
        if len(shape) != 4:
            raise CaffeError(f"expected a bottom (N, C, Y, X), got shape {shape}")


class Convolution(Layer):
    """Convolution in groups; blobs (C', C/groups, Y, X) and (C',)."""

    weight: Tensor

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        _check_images(shapes)
        given = layer.convolution_param
        if given.axis not in (1, -3):
            raise CaffeError(f"axis: expected 1, got {given.axis}")
        kernel = _pair(given, "kernel_size", None)
        self.stride = _pair(given, "stride", 1)
        self.padding = _pair(given, "pad", 0)
        self.dilation = _pair(given, "dilation", 1)
        self.groups = given.group
        channels, outputs = shapes[0][1], given.num_output
        if self.groups < 1 or channels % self.groups or outputs % self.groups:
            raise CaffeError(
                f"group: {channels} input and {outputs} output channels cannot be split "
                f"into {self.groups} groups"
            )
        self.add_blob("weight", (outputs, channels // self.groups, *kernel), given.weight_filler)
        self.add_bias(given.bias_term, outputs, given.bias_filler)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class Pooling(Layer):
    """Maximum or average over windows, of which the last may hang over the edge.

    An average divides by the window's size within the padded image.
    """

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        _check_images(shapes)
        given = layer.pooling_param
        if given.pool not in (MAX, AVERAGE):
            raise CaffeError("pool: expected MAX or AVE")
        self.average = given.pool == AVERAGE
        self.kernel = None if given.global_pooling else _pair(given, "kernel_size", None)
        self.stride = _pair(given, "stride", 1)
        self.padding = _pair(given, "pad", 0)
        self.ceil_mode = given.round_mode == CEIL
        if given.global_pooling and (self.stride, self.padding) != ((1, 1), (0, 0)):
            raise CaffeError("global_pooling: expected stride 1 and no padding")

    @property
    def is_plain_maximum(self) -> bool:
        """Whether :func:`relu_max_pool_lrn` has it: maxima of small windows without padding."""
        if self.average or self.kernel is None or any(self.padding):
            return False
        return self.kernel[0] * self.kernel[1] <= BLOCKED

    def options(self) -> dict[str, Any]:
        """What :func:`relu_max_pool_lrn` calls the windows."""
        return {"kernel_size": self.kernel, "stride": self.stride, "ceil_mode": self.ceil_mode}

    def check_windows(self, x: Tensor) -> None:
        """Refuse a last window that would hold nothing: Caffe's value of it is none either."""
        kernel = self.kernel or (x.shape[2], x.shape[3])
        for size, window, stride, padding in zip(x.shape[2:], kernel, self.stride, self.padding):
            last = -(-(size - window) // stride) * stride
            if self.ceil_mode and padding == 0 and last >= size:
                raise CaffeError(
                    f"stride {stride}: the last window of {window} would begin past the end "
                    f"of {size}"
                )

    def forward(self, x: Tensor) -> Tensor:
        self.check_windows(x)
        if self.is_plain_maximum:
            return relu_max_pool_lrn(x, relu=False, lrn_size=None, **self.options())
        kernel = self.kernel or (x.shape[2], x.shape[3])
        if self.average:
            return F.avg_pool2d(x, kernel, self.stride, self.padding, self.ceil_mode)
        return F.max_pool2d(x, kernel, self.stride, self.padding, ceil_mode=self.ceil_mode)


class LRN(Layer):
    """Response normalisation x / (k + alpha * mean of squares)^beta.

    The mean is over neighbouring channels, or over a square of the same channel, where k is 1.
    """

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        _check_images(shapes)
        given = layer.lrn_param
        self.size, self.alpha, self.beta, self.k = (
            given.local_size,
            given.alpha,
            given.beta,
            given.k,
        )
        self.across_channels = given.norm_region == ACROSS_CHANNELS
        if self.size % 2 == 0:
            raise CaffeError(f"local_size: expected an odd number, got {self.size}")

    def options(self) -> dict[str, Any]:
        """What :func:`relu_max_pool_lrn` calls the numbers."""
        return {"lrn_size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}

    def forward(self, x: Tensor) -> Tensor:
        if self.across_channels:
            return relu_max_pool_lrn(x, relu=False, kernel_size=None, **self.options())
        mean = F.avg_pool2d(x.square(), self.size, 1, self.size // 2)
        return x * torch.pow(1 + self.alpha * mean, -self.beta)
