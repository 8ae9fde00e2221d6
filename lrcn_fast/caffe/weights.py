"""Weights from .caffemodel files into modules, and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrcn_fast._files import StrPath, write_whole
from lrcn_fast.caffe.blobs import Blob, encode
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.messages import weight_messages
from lrcn_fast.caffe.reader import MAX_BINARY_BYTES, read_weights
from lrcn_fast.caffe.tables import Slot, swap_gates, table_of

__all__ = ["LoadReport", "copy_weights", "export_caffemodel", "load_weights"]


@dataclass(frozen=True)
class LoadReport:
    """What became of the layers of a file and a module.

    Attributes:
        loaded: layers whose blobs were copied.
        missing: layers of the module that the file does not have; they are as they were.
        left: layers of the file, with blobs, that the module has no place for.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    left: tuple[str, ...]


def load_weights(
    module: nn.Module,
    caffemodel: StrPath,
    *,
    layers: Mapping[str, str] | None = None,
    strict: bool = True,
) -> LoadReport:
    """Copy the weights of a .caffemodel into a module, layer by name.

    Gates are brought into torch's order, and a second bias, which Caffe lacks, is set to zero.
    Weights of images stay as they are: those of Caffe's nets expect BGR. An error changes nothing.

    Args:
        module: a net of :func:`load_net`; CaffeNet, HybridNet or VGG16, also in FrameFeatures; an
            ActivityRecognizer or a FrameClassifier (layers ``fc8-final`` and ``fc8-ucf`` for the
            scores); or, with ``layers``, any module.
        caffemodel: the file, binary or text, of old layers or new ones.
        layers: for each of Caffe's layers the path of a Conv2d, Linear, Embedding or LSTM in the
            module; ``"path:K"`` is layer K of an LSTM of several.
        strict: whether a layer that the file lacks is an error.

    Returns:
        The layers that were loaded, missing in the file, and left over in it.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: protobuf is not installed.
        TypeError: the module is of another class, and ``layers`` did not come.
        ValueError: ``layers`` names no such submodule, or a parameter is on meta.
        CaffeError: the file is damaged, lacks a layer, or a blob has another shape.
    """
    return copy_weights(module, read_weights(caffemodel), str(caffemodel), layers, strict)


def copy_weights(
    module: nn.Module,
    blobs: Mapping[str, list[Blob]],
    path: str,
    layers: Mapping[str, str] | None,
    strict: bool,
) -> LoadReport:
    """Do what :func:`load_weights` does with the blobs of a file that was read."""
    table = {}
    for name, entry in table_of(module, layers).items():
        table[name if name in blobs or entry.alias not in blobs else entry.alias] = entry
    missing = tuple(name for name in table if name not in blobs)
    if strict and missing:
        raise CaffeError(
            f"{path}: has no weights for {list(missing)}, only for {list(blobs)}; "
            "strict=False leaves these layers as they are"
        )
    copies: list[tuple[Tensor, Tensor | None]] = []
    for name, entry in table.items():
        if name in missing:
            continue
        where = f"{path}: layer {name!r}"
        if len(blobs[name]) != len(entry.slots):
            raise CaffeError(
                f"{where}: expected {len(entry.slots)} blobs, the file has {len(blobs[name])}"
            )
        for index, (slot, blob) in enumerate(zip(entry.slots, blobs[name], strict=True)):
            target: Tensor = module.get_parameter(slot.parameter)
            if target.is_meta:
                raise ValueError(f"module: {slot.parameter} is on meta, which keeps no values")
            values = blob.fitted(target.shape, f"{where}, blob {index}")
            copies.append((target, swap_gates(values) if slot.gates else values))
            if slot.second is not None:
                copies.append((module.get_parameter(slot.second), None))
    with torch.no_grad():
        for target, source in copies:
            target.zero_() if source is None else target.copy_(source)
    return LoadReport(
        loaded=tuple(name for name in table if name in blobs),
        missing=missing,
        left=tuple(name for name in blobs if name not in table),
    )


def export_caffemodel(
    module: nn.Module, path: StrPath, *, layers: Mapping[str, str] | None = None
) -> None:
    """Write the weights of a module as a .caffemodel, whole or not at all.

    The file has layers with name, type and blobs, which is what Caffe reads of one. Parameters in
    float64 are written as such, all others in float32.

    Args:
        module: as in :func:`load_weights`.
        path: the file; it takes the place of an older one when it is complete.
        layers: as in :func:`load_weights`.

    Raises:
        ImportError: protobuf is not installed.
        TypeError: the module is of another class, and ``layers`` did not come.
        ValueError: ``layers`` names no such submodule.
        CaffeError: the file would be larger than protobuf allows.
        OSError: the folder cannot be written to.
    """
    net = weight_messages()["NetParameter"](name=type(module).__name__)
    for name, entry in table_of(module, layers).items():
        layer = net.layer.add(name=name, type=entry.kind)
        for slot in entry.slots:
            encode(layer.blobs.add(), _exported(module, slot))
    if net.ByteSize() > MAX_BINARY_BYTES:
        raise CaffeError(f"{path}: would have more than {MAX_BINARY_BYTES} bytes")
    data = net.SerializeToString()
    write_whole(path, lambda file: file.write(data))


def _exported(module: nn.Module, slot: Slot) -> Tensor:
    values: Tensor = module.get_parameter(slot.parameter).detach()
    if slot.second is not None:
        values = values + module.get_parameter(slot.second).detach()
    return swap_gates(values) if slot.gates else values
