"""What all layers share: parameters in the order of Caffe's blobs, and reading of axes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.fillers import Filler

__all__ = ["Layer", "Shape", "axis_of"]

Shape = tuple[int, ...]


def axis_of(axis: int, dims: int) -> int:
    """An axis counted from the front; Caffe's may be counted from the end.

    Raises:
        CaffeError: there is no such axis.
    """
    if not -dims <= axis < dims:
        raise CaffeError(f"axis: expected {-dims} to {dims - 1} for {dims} axes, got {axis}")
    return axis % dims


class Layer(nn.Module):
    """A layer of a net: bottoms in, tops out.

    Args:
        layer: the LayerParameter.
        shapes: of the bottoms.

    Attributes:
        name: the layer's name in the file.
        kind: its type there.
        blob_names: the parameters, in the order of Caffe's blobs.
        gate_blobs: those whose rows are an LSTM's gates; here in torch's order i, f, g, o.
    """

    # How many there may be; none named is any number but zero.
    bottoms: tuple[int, ...] = (1,)
    tops: tuple[int, ...] = (1,)
    bias: Tensor | None

    def __init__(self, layer: Any, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.name: str = layer.name
        self.kind: str = layer.type
        self.blob_names: list[str] = []
        self.gate_blobs: frozenset[str] = frozenset()
        self.fillers: dict[str, Filler] = {}
        for what, allowed, got in (
            ("bottoms", self.bottoms, len(layer.bottom)),
            ("tops", self.tops, len(layer.top)),
        ):
            if got not in (allowed or range(1, got + 1)):
                wanted = " or ".join(map(str, allowed)) or "some"
                raise CaffeError(f"expected {wanted} {what}, got {got}")

    def add_blob(self, name: str, shape: Sequence[int], filler: Any) -> None:
        """Add the next parameter, which has a shape but no memory yet.

        Args:
            name: what it is.
            shape: as in Caffe's files.
            filler: FillerParameter.
        """
        if 0 in shape:
            raise CaffeError(f"{name}: expected no axis of size 0, got shape {tuple(shape)}")
        self.register_parameter(name, nn.Parameter(torch.empty(tuple(shape), device="meta")))
        self.blob_names.append(name)
        self.fillers[name] = Filler.of(filler)

    def add_bias(self, wanted: bool, size: int, filler: Any) -> None:
        """Add the parameter ``bias``, None where the layer has none."""
        if wanted:
            self.add_blob("bias", (size,), filler)
        else:
            self.register_parameter("bias", None)
