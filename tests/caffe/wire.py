"""Protobuf's wire format by hand, for files that no library would write."""

from collections.abc import Iterable, Sequence

import numpy

BYTES = 2


def varint(value: int) -> bytes:
    """Seven bits a byte, least first; a negative number takes ten bytes."""
    value %= 1 << 64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, payload: bytes, length: int | None = None) -> bytes:
    """A field of bytes; ``length`` is what it claims to be long."""
    return (
        varint(number << 3 | BYTES) + varint(len(payload) if length is None else length) + payload
    )


def number(at: int, value: int) -> bytes:
    """A field that is an integer."""
    return varint(at << 3) + varint(value)


def floats(values: Iterable[float]) -> bytes:
    """Packed float32 values."""
    return numpy.array(list(values), "<f4").tobytes()


def blob(dims: Sequence[int], data: bytes, at: int = 5) -> bytes:
    """A BlobProto with ``data`` (field 5) or ``double_data`` (8)."""
    return field(7, field(1, b"".join(map(varint, dims)))) + field(at, data)


def legacy_blob(dims: Sequence[int], data: bytes) -> bytes:
    """A BlobProto of four axes without ``shape``."""
    return b"".join(number(at, dim) for at, dim in enumerate(dims, 1)) + field(5, data)


def caffemodel(blobs: Sequence[bytes], name: bytes = b"it") -> bytes:
    """A net of one layer with these blobs."""
    return field(100, field(1, name) + b"".join(field(7, one) for one in blobs))
