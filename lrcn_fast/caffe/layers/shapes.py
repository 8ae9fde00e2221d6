"""Layers that move, part and join blobs: Reshape, Flatten, Concat, Slice, Split, Eltwise."""

import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Layer, Shape, axis_of

__all__ = ["Concat", "Eltwise", "Flatten", "Reshape", "Slice", "Split"]

PRODUCT, SUM = 0, 1


class Reshape(Layer):
    """Another shape for the axes from ``axis`` on: 0 keeps a size, -1 takes what is left."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.reshape_param
        self.dims = tuple(given.shape.dim)
        dims = len(shapes[0])
        self.first = given.axis if given.axis >= 0 else dims + given.axis + 1
        self.last = dims if given.num_axes == -1 else self.first + given.num_axes
        if not 0 <= self.first <= self.last <= dims:
            raise CaffeError(
                f"axis {given.axis}, num_axes {given.num_axes}: out of range for {dims} axes"
            )
        if self.dims.count(-1) > 1 or any(dim < -1 for dim in self.dims):
            raise CaffeError(f"shape: expected sizes, 0 and at most one -1, got {self.dims}")

    def forward(self, x: Tensor) -> Tensor:
        replaced = list(self.dims)
        for index, dim in enumerate(self.dims):
            if dim == 0:
                if self.first + index >= x.dim():
                    raise CaffeError(f"shape: no axis {self.first + index} to keep the size of")
                replaced[index] = x.shape[self.first + index]
        return x.reshape(*x.shape[: self.first], *replaced, *x.shape[self.last :])


class Flatten(Layer):
    """The axes from ``axis`` to ``end_axis`` as one."""

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.flatten_param
        self.first = axis_of(given.axis, len(shapes[0]))
        self.last = axis_of(given.end_axis, len(shapes[0]))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.first, self.last)


class Concat(Layer):
    """Bottoms one after the other along an axis."""

    bottoms = ()

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.concat_param
        axis = given.concat_dim if given.HasField("concat_dim") else given.axis
        self.axis = axis_of(axis, len(shapes[0]))

    def forward(self, *bottoms: Tensor) -> Tensor:
        return torch.cat(bottoms, self.axis)


class Slice(Layer):
    """Parts of a bottom along an axis, equal ones or cut at ``slice_point``."""

    tops = ()

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.slice_param
        axis = given.slice_dim if given.HasField("slice_dim") else given.axis
        self.axis = axis_of(axis, len(shapes[0]))
        self.count = len(layer.top)
        self.points = list(given.slice_point)
        if self.points and len(self.points) != self.count - 1:
            raise CaffeError(
                f"slice_point: expected {self.count - 1} for {self.count} tops, got {self.points}"
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        size = x.shape[self.axis]
        if not self.points and size % self.count:
            raise CaffeError(f"a size of {size} cannot be parted into {self.count} equal slices")
        step = size // self.count
        ends = [0, *(self.points or range(step, size, step)), size]
        sizes = [end - start for start, end in pairwise(ends)]
        if min(sizes) < 1:
            raise CaffeError(
                f"slice_point: expected rising points within {size}, got {self.points}"
            )
        parts: tuple[Tensor, ...] = torch.split(x, sizes, self.axis)
        return parts


class Split(Layer):
    """The same blob under several names."""

    tops = ()

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        self.count = len(layer.top)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x,) * self.count


class Eltwise(Layer):
    """Sum with coefficients, product or maximum of bottoms of one shape."""

    bottoms = ()

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__(layer, shapes)
        given = layer.eltwise_param
        self.operation = given.operation
        self.coefficients = list(given.coeff) or [1.0] * len(shapes)
        if len(shapes) < 2 or len(set(shapes)) > 1:
            raise CaffeError(f"expected two bottoms or more of one shape, got {list(shapes)}")
        if len(self.coefficients) != len(shapes) or (given.coeff and self.operation != SUM):
            raise CaffeError("coeff: expected one for each bottom, and a sum")

    def forward(self, *bottoms: Tensor) -> Tensor:
        if self.operation == PRODUCT:
            return math.prod(bottoms[1:], start=bottoms[0])
        if self.operation == SUM:
            terms = (c * x if c != 1 else x for c, x in zip(self.coefficients, bottoms))
            return reduce(torch.add, terms)
        return reduce(torch.maximum, bottoms)
