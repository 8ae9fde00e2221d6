"""Layers that bring data in: their tops are the net's inputs."""

from typing import Any

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.layers.base import Shape

__all__ = ["INPUT_TYPES", "input_shapes"]

INPUT_TYPES = (
    "Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "Python", "WindowData",
)  # fmt: skip


def input_shapes(layer: Any) -> list[Shape | None]:
    """The shape of each top, None where the net's file does not say.

    Raises:
        CaffeError: the layer has bottoms, or not as many shapes as tops.
    """
    if layer.bottom:
        raise CaffeError(f"a layer of type {layer.type} with bottoms is not supported")
    count = len(layer.top)
    shapes = _declared(layer)
    if len(shapes) not in (0, 1, count):
        raise CaffeError(f"expected one shape, or one for each of {count} tops, got {len(shapes)}")
    if any(dim < 0 for shape in shapes for dim in shape):
        raise CaffeError(f"shape: expected no negative sizes, got {shapes}")
    return [*shapes] * count if len(shapes) == 1 else [*shapes] or [None] * count


def _declared(layer: Any) -> list[Shape]:
    if layer.type == "Input":
        return [tuple(shape.dim) for shape in layer.input_param.shape]
    if layer.type == "DummyData":
        given = layer.dummy_data_param
        old = zip(given.num, given.channels, given.height, given.width)
        return [tuple(shape.dim) for shape in given.shape] or list(old)
    if layer.type == "MemoryData":
        given = layer.memory_data_param
        images = (given.batch_size, given.channels, given.height, given.width)
        return [images, (given.batch_size,)][: len(layer.top)]
    return []
