"""Blobs in Caffe's files: shape and values, checked against each other before anything is made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor

from lrcn_fast.caffe.errors import CaffeError

__all__ = ["Blob", "decode", "encode"]

# As in Caffe, whose blobs also count their values in 32 bits.
MAX_AXES = 32
LEGACY = ("num", "channels", "height", "width")


@dataclass(frozen=True)
class Blob:
    """A blob of a file.

    Attributes:
        values: float32 or float64, in the shape of the file.
        legacy: the shape is the old form of four axes, of which the first ones may be padding.
    """

    values: Tensor
    legacy: bool

    def fitted(self, shape: Sequence[int], where: str) -> Tensor:
        """The values in the shape that a layer has.

        Raises:
            CaffeError: the file's shape is another one.
        """
        own, wanted = tuple(self.values.shape), tuple(shape)
        padded = (1,) * (len(own) - len(wanted)) + wanted if self.legacy else wanted
        if own != padded:
            raise CaffeError(f"{where}: expected shape {wanted}, the file has {own}")
        return self.values.view(wanted)


def decode(blob: Any, where: str) -> Blob:
    """Read a BlobProto, from a binary or a text file.

    Args:
        blob: the message; its ``diff`` is left alone.
        where: file, layer and index, for messages.

    Raises:
        CaffeError: the shape makes no sense or does not count as many values as there are.
    """
    legacy = any(blob.HasField(name) for name in LEGACY)
    dims = [getattr(blob, name) for name in LEGACY] if legacy else list(blob.shape.dim)
    if len(dims) > MAX_AXES or any(dim < 0 for dim in dims):
        raise CaffeError(
            f"{where}: expected a shape of at most {MAX_AXES} axes, none of them negative, "
            f"got {tuple(dims[: MAX_AXES + 1])}"
        )
    values = _values(blob.double_data, "<f8", where) if blob.double_data else None
    if values is None:
        values = _values(blob.data, "<f4", where)
    if values.numel() != math.prod(dims):
        raise CaffeError(
            f"{where}: the shape {tuple(dims)} wants {math.prod(dims)} values, "
            f"the file holds {values.numel()}"
        )
    return Blob(values.view(dims), legacy)


def _values(data: Sequence[Any], dtype: str, where: str) -> Tensor:
    if data and isinstance(data[0], bytes):
        raw = b"".join(data)
        if len(raw) % numpy.dtype(dtype).itemsize:
            raise CaffeError(f"{where}: {len(raw)} bytes are no whole number of {dtype} values")
        return torch.from_numpy(numpy.frombuffer(raw, dtype).astype(dtype[1:]))
    return torch.from_numpy(numpy.array(data, dtype=dtype[1:]))


def encode(blob: Any, values: Tensor) -> None:
    """Fill the BlobProto of a binary file: float64 as ``double_data``, all else as float32."""
    double = values.dtype == torch.float64
    blob.shape.dim.extend(values.shape)
    array = values.detach().cpu().to(torch.float64 if double else torch.float32).numpy()
    raw = array.astype("<f8" if double else "<f4").tobytes()
    (blob.double_data if double else blob.data).append(raw)
