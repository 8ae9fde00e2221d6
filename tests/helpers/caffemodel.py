"""Read the weights of a .caffemodel: a minimal reader of protobuf's wire format.

NetParameter.layer = 100; LayerParameter.name = 1, .blobs = 7; BlobProto.data = 5 (packed floats),
.shape = 7; BlobShape.dim = 1 (packed varints).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy
import torch
from torch import Tensor

LAYER, NAME, BLOBS, DATA, SHAPE, DIM = 100, 1, 7, 5, 7, 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, payload) of the length-delimited fields; the others are stepped over."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == VARINT:
            _, at = _varint(data, at)
        elif key & 7 in (FIXED64, FIXED32):
            at += struct.calcsize("<d" if key & 7 == FIXED64 else "<f")
        elif key & 7 == BYTES:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7} at byte {at}")


def _blob(data: bytes) -> Tensor:
    fields = dict(_fields(data))
    shape, at, dims = dict(_fields(fields[SHAPE]))[DIM], 0, []
    while at < len(shape):
        dim, at = _varint(shape, at)
        dims.append(dim)
    return torch.from_numpy(numpy.frombuffer(fields[DATA], "<f4").copy()).view(dims)


def read_caffemodel(path: Path) -> dict[str, list[Tensor]]:
    """The float32 blobs of every layer that has any."""
    layers = {}
    for number, layer in _fields(path.read_bytes()):
        if number == LAYER:
            fields = list(_fields(layer))
            name = next(payload for key, payload in fields if key == NAME).decode()
            blobs = [_blob(payload) for key, payload in fields if key == BLOBS]
            if blobs:
                layers[name] = blobs
    return layers
