"""Pixels to the input of a convolution: a window gathered from each frame, then arithmetic."""

import numpy as np
import onnx_ir as ir

from lrcn_fast.export._cell import compute_dtype
from lrcn_fast.export._nodes import Nodes, size_of

__all__ = ["frames_to_input"]


def frames_to_input(
    nodes: Nodes,
    frames: ir.Value,
    offsets: ir.Value | None,
    mirror: ir.Value | None,
    mean_image: ir.Value | None,
    mean: list[float],
    scale: list[float],
    height: int,
    width: int,
    swap_rb: bool,
    flow_channel: int,
    channels_last: bool,
    dtype: ir.DataType,
) -> ir.Value:
    """``lrcn_fast::frames_to_input``; offsets outside a frame count as the nearest inside."""
    rows, columns, channels = (size_of(frames, dim) for dim in (1, 2, 3))
    compute = compute_dtype(dtype)
    assert compute is not None
    window = _Window(nodes, (rows, columns), (height, width), offsets, mirror)
    pixels = nodes("Cast", window.of_each(frames, channels), to=compute)
    if mirror is not None and flow_channel >= 0:
        shown = np.arange(channels) == flow_channel
        inverted = nodes("And", _each(nodes, mirror, 4), nodes.constant(shown, ir.DataType.BOOL))
        negative = nodes("Sub", nodes.constant(255, compute), pixels)
        pixels = nodes("Where", inverted, negative, pixels)
    if swap_rb:
        order = nodes.constant([2, 1, 0, *range(3, channels)])
        pixels = nodes("Gather", pixels, order, axis=3)
    subtracted = nodes.constant(mean, compute)
    if mean_image is not None:
        image = nodes("Transpose", nodes.cast(mean_image, compute), perm=[1, 2, 0])
        subtracted = window.of_all(nodes.unsqueeze(image, 0), channels)
    values = nodes("Mul", nodes("Sub", pixels, subtracted), nodes.constant(scale, compute))
    if compute != dtype:
        values = nodes("Cast", values, to=dtype)
    return nodes("Transpose", values, perm=[0, 3, 1, 2])


class _Window:
    """A window of each frame (Y, X, C): the same for all, or one for each."""

    def __init__(
        self,
        nodes: Nodes,
        frame: tuple[int, int],
        size: tuple[int, int],
        offsets: ir.Value | None,
        mirror: ir.Value | None,
    ) -> None:
        self.nodes = nodes
        self.frame, self.size = frame, size
        self.places: ir.Value | None = None
        room = [whole - part for whole, part in zip(frame, size, strict=True)]
        self.middle = [space // 2 for space in room]
        if offsets is None and mirror is None:
            return
        corner = [nodes.constant([[[n]]]) for n in self.middle]
        if offsets is not None:
            inside = nodes("Max", offsets, nodes.constant(0))
            inside = nodes("Min", inside, nodes.constant(room))
            corner = [_each(nodes, nodes.part(inside, n, 1, 2), 3) for n in (0, 1)]
        steps = [np.arange(n) for n in size]
        y = nodes("Add", corner[0], nodes.constant(steps[0].reshape(1, -1, 1)))
        across = nodes.constant(steps[1].reshape(1, 1, -1))
        if mirror is not None:
            backwards = nodes.constant(steps[1][::-1].reshape(1, 1, -1))
            across = nodes("Where", _each(nodes, mirror, 3), backwards, across)
        x = nodes("Add", corner[1], across)
        # (N, Y', X'), or 1 for N where there is one for all: a pixel's number in its frame.
        self.places = nodes("Add", nodes("Mul", y, nodes.constant(frame[1])), x)

    def of_each(self, frames: ir.Value, channels: int) -> ir.Value:
        """(N, Y', X', C) of frames (N, Y, X, C)."""
        if self.places is None:
            return self.of_all(frames, channels)
        nodes, whole = self.nodes, self.nodes.constant(self.frame[0] * self.frame[1])
        count = nodes("Squeeze", nodes.size(frames, 0), nodes.constant([0]))
        numbers = nodes("Range", nodes.constant(0), count, nodes.constant(1))
        first = nodes("Mul", _each(nodes, numbers, 3), whole)
        return self._gathered(frames, nodes("Add", first, self.places), channels)

    def of_all(self, image: ir.Value, channels: int) -> ir.Value:
        """(N, Y', X', C) of one image (1, Y, X, C), or of frames that have one window."""
        if self.places is not None:
            return self._gathered(image, self.places, channels)
        if self.size == self.frame:
            return image
        ends = [begin + size for begin, size in zip(self.middle, self.size, strict=True)]
        return self.nodes("Slice", image, *map(self.nodes.constant, (self.middle, ends, [1, 2])))

    def _gathered(self, frames: ir.Value, places: ir.Value, channels: int) -> ir.Value:
        flat = self.nodes("Reshape", frames, self.nodes.constant([-1, channels]))
        return self.nodes("Gather", flat, places, axis=0)


def _each(nodes: Nodes, values: ir.Value, rank: int) -> ir.Value:
    """(N, 1, ..) of (N,)."""
    return nodes("Unsqueeze", values, nodes.constant(list(range(1, rank))))
