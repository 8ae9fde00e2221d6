"""Read Caffe's files: nets and weights, binary or text, and mean images."""

from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from lrcn_fast._files import StrPath
from lrcn_fast.caffe.blobs import Blob, decode
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.messages import net_messages, protobuf, weight_messages

__all__ = ["read_mean", "read_net", "read_weights"]

# Protobuf's own limit; and one for text, which takes many times its size to read.
MAX_BINARY_BYTES = 2**31 - 1
MAX_TEXT_BYTES = 2**26
SAMPLE = 4096


def _read(path: StrPath) -> bytes:
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    size = file.stat().st_size
    if size > MAX_BINARY_BYTES:
        raise CaffeError(f"{path}: more than {MAX_BINARY_BYTES} bytes, which protobuf cannot read")
    with open(file, "rb") as stream:
        data = stream.read(size)
    if not data:
        raise CaffeError(f"{path}: the file is empty")
    return data


def _is_text(data: bytes) -> bool:
    # No binary net comes without one of these: they are its tags and lengths.
    return not any(byte < 32 and byte not in b"\t\n\v\f\r" for byte in data[:SAMPLE])


def _parse_text(path: StrPath, data: bytes, message: Any) -> None:
    if len(data) > MAX_TEXT_BYTES:
        raise CaffeError(f"{path}: more than {MAX_TEXT_BYTES} bytes of text")
    text = protobuf().text
    try:
        text.Parse(data.decode(), message)
    except text.ParseError as error:
        raise CaffeError(f"{path}:{error}") from error
    except UnicodeDecodeError as error:
        raise CaffeError(f"{path}: the text is not UTF-8: {error}") from error


def _parse_binary(path: StrPath, data: bytes, message: Any) -> None:
    try:
        message.ParseFromString(data)
    except (protobuf().message.DecodeError, UnicodeDecodeError) as error:
        raise CaffeError(f"{path}: damaged, or not a file of Caffe's: {error}") from error


def read_net(path: StrPath) -> Any:
    """Read a net's definition, text or binary, as a NetParameter message.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: protobuf is not installed.
        CaffeError: the file is damaged, or has fields that are not known.
    """
    data = _read(path)
    net = net_messages()["NetParameter"]()
    (_parse_text if _is_text(data) else _parse_binary)(path, data, net)
    return net


def read_weights(path: StrPath) -> dict[str, list[Blob]]:
    """Read the blobs of every layer that has any, by the layer's name, in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: protobuf is not installed.
        CaffeError: the file is damaged, or has no blobs, or two layers of one name with blobs.
    """
    data = _read(path)
    if _is_text(data):
        net = net_messages()["NetParameter"]()
        _parse_text(path, data, net)
    else:
        net = weight_messages()["NetParameter"]()
        _parse_binary(path, data, net)
    del data
    found: dict[str, list[Blob]] = {}
    for layer in (*net.layers, *net.layer):
        if not layer.blobs:
            continue
        name = layer.name
        if not isinstance(name, str):
            raise CaffeError(f"{path}: a layer's name is not UTF-8: {name!r}")
        if name in found:
            raise CaffeError(f"{path}: two layers named {name!r} have blobs")
        found[name] = [
            decode(blob, f"{path}: layer {name!r}, blob {index}")
            for index, blob in enumerate(layer.blobs)
        ]
    if not found:
        raise CaffeError(f"{path}: no layer has blobs")
    return found


def read_mean(path: StrPath) -> Tensor:
    """Read a mean image, .binaryproto or .npy.

    Returns:
        (C, Y, X), float32 or float64, channels in the order of the training images: BGR.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: protobuf is not installed.
        CaffeError: the file is damaged, or holds no image.
    """
    data = _read(path)
    if data.startswith(b"\x93NUMPY"):
        values = _read_npy(path)
    else:
        blob = weight_messages()["BlobProto"]()
        _parse_binary(path, data, blob)
        values = decode(blob, str(path)).values
    image = values.squeeze(0) if values.dim() == 4 and values.shape[0] == 1 else values
    if image.dim() != 3 or image.numel() == 0:
        raise CaffeError(f"{path}: expected one image (C, Y, X), got shape {tuple(values.shape)}")
    return image


def _read_npy(path: StrPath) -> Tensor:
    try:
        # Mapped, so that a header which lies about the size is found before memory is taken.
        array = numpy.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype not in (numpy.float32, numpy.float64):
            raise CaffeError(f"{path}: expected float32 or float64, got {array.dtype}")
        return torch.from_numpy(numpy.array(array))
    except CaffeError:
        raise
    except Exception as error:
        raise CaffeError(f"{path}: damaged: {error}") from error
