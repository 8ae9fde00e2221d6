"""InnerProduct, Embed, and layers on single values."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Layer, Shape, axis_of

__all__ = ["Dropout", "Embed", "InnerProduct", "ReLU", "Sigmoid", "TanH"]


class InnerProduct(Layer):
    """All axes from ``axis`` on as one vector; blobs (outputs, inputs), or transposed, and bias."""

    weight: Tensor

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.inner_product_param
        self.axis = axis_of(given.axis, len(shapes[0]))
        self.transpose = given.transpose
        inputs, outputs = math.prod(shapes[0][self.axis :]), given.num_output
        shape = (inputs, outputs) if self.transpose else (outputs, inputs)
        self.add_blob("weight", shape, given.weight_filler)
        self.add_bias(given.bias_term, outputs, given.bias_filler)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.t() if self.transpose else self.weight
        return F.linear(x.flatten(self.axis), weight, self.bias)


class Embed(Layer):
    """Rows of a table (ids, outputs) by number; a negative number, LRCN's padding, gives zeros."""

    weight: Tensor

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.embed_param
        self.add_blob("weight", (given.input_dim, given.num_output), given.weight_filler)
        self.add_bias(given.bias_term, given.num_output, given.bias_filler)

    def forward(self, ids: Tensor) -> Tensor:
        ids = ids.long()
        # On a GPU this check would wait for the device; there the kernel asserts it.
        if ids.device.type == "cpu" and ids.numel() and int(ids.max()) >= self.weight.shape[0]:
            raise CaffeError(f"expected ids below {self.weight.shape[0]}, got {int(ids.max())}")
        rows = F.embedding(ids.clamp(min=0), self.weight)
        rows = rows.masked_fill((ids < 0).unsqueeze(-1), 0.0)
        return rows if self.bias is None else rows + self.bias


class Dropout(Layer):
    """Inverted dropout while the module trains."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        self.ratio = layer.dropout_param.dropout_ratio
        if not 0 < self.ratio < 1:
            raise CaffeError(f"dropout_ratio: expected a number between 0 and 1, got {self.ratio}")

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.ratio, self.training)


class ReLU(Layer):
    """max(x, 0), or x times ``negative_slope`` below zero."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        self.negative_slope = layer.relu_param.negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope) if self.negative_slope else F.relu(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class TanH(Layer):
    """tanh(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x)
