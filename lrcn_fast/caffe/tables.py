"""Which parameters of a module are the blobs of which layer of Caffe's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrcn_fast.caffe.net import Net
from lrcn_fast.models import ActivityRecognizer, Captioner, FrameClassifier
from lrcn_fast.nn import LSTM, FrameFeatures, HybridNet
from lrcn_fast.nn.conv_net import ConvNet

__all__ = ["Entry", "Slot", "table_of"]


@dataclass(frozen=True)
class Slot:
    """One blob of a layer.

    Attributes:
        parameter: the name of the parameter that holds it.
        gates: the rows are gates: i, f, o, g in the file, i, f, g, o in the module.
        second: a second bias of the module, which Caffe lacks: zero after loading, added in a file.
    """

    parameter: str
    gates: bool = False
    second: str | None = None


@dataclass(frozen=True)
class Entry:
    """A layer.

    Attributes:
        kind: its type.
        slots: its blobs, in Caffe's order.
        alias: another name under which files have it, or none.
    """

    kind: str
    slots: tuple[Slot, ...]
    alias: str = ""


Paths = dict[str, str]
"""Submodule by the name of the layer; layer K of an LSTM of several is "path:K"."""


def _conv_net(net: ConvNet) -> Paths:
    """Layers that know their names in Caffe."""
    places = {module: path for path, module in net.named_modules()}
    return {name: places[layer] for name, layer in net.named_layers().items()}


def _frame_features(features: FrameFeatures) -> Paths:
    if not isinstance(features.net, ConvNet):
        raise TypeError(
            f"module: there is no table for a FrameFeatures of {type(features.net).__name__}; "
            "give layers={'conv1': 'net.path.to.conv'}"
        )
    return {name: f"net.{path}" for name, path in _conv_net(features.net).items()}


def _clip_net(model: ActivityRecognizer | FrameClassifier) -> Paths:
    found = _frame_features(model.features)
    return {name: f"features.{path}" for name, path in found.items()}


def _recognizer(model: ActivityRecognizer) -> Paths:
    count = model.config.num_layers
    lstms = {f"lstm{index + 1}": f"lstm:{index}" for index in range(count)}
    return {**_clip_net(model), **lstms, "fc8-final": "fc8"}


def _frame_classifier(model: FrameClassifier) -> Paths:
    found = _clip_net(model)
    found[SINGLE_FRAME_SCORES] = found.pop("fc8")
    return found


SINGLE_FRAME_SCORES = "fc8-ucf"
"""The release renamed fc8, so that weights of ImageNet would not be copied into it."""


def _captioner(model: Captioner) -> Paths:
    names = ["embedding", *(f"lstm{k + 1}" for k in range(model.config.num_layers)), "predict"]
    return {name: name for name in names}


MODELS: dict[type[nn.Module], Callable[[Any], Paths]] = {
    ActivityRecognizer: _recognizer,
    Captioner: _captioner,
    FrameClassifier: _frame_classifier,
    ConvNet: _conv_net,
    FrameFeatures: _frame_features,
}
ALIASES: dict[tuple[type[nn.Module], str], str] = {(HybridNet, "fc8"): SINGLE_FRAME_SCORES}


def table_of(module: nn.Module, layers: Mapping[str, str] | None) -> dict[str, Entry]:
    """The entries of a module, by the name of Caffe's layer.

    Args:
        module: a net of :func:`lrcn_fast.caffe.load_net`, one of ``MODELS``, or, with ``layers``,
            any other.
        layers: the path of a Conv2d, Linear, Embedding or LSTM for each of Caffe's layers.

    Raises:
        TypeError: there is no table for such a module and none came.
        ValueError: a path of ``layers`` leads to no such submodule.
    """
    if layers is None and isinstance(module, Net):
        return {
            layer.name: Entry(
                layer.kind,
                tuple(
                    Slot(f"{path}.{blob}", blob in layer.gate_blobs) for blob in layer.blob_names
                ),
            )
            for path, layer in module.named_layers()
            if layer.blob_names
        }
    if layers is None:
        known = next((kind for kind in type(module).__mro__ if kind in MODELS), None)
        if known is None:
            names = sorted(kind.__name__ for kind in MODELS)
            raise TypeError(
                f"module: expected a net of load_net or one of {names}, got "
                f"{type(module).__name__}; for others give layers={{'conv1': 'path.to.conv'}}"
            )
        layers = MODELS[known](module)
    return {
        name: _entry(module, path, ALIASES.get((type(module), name), ""))
        for name, path in layers.items()
    }


def _entry(module: nn.Module, place: str, alias: str) -> Entry:
    path, colon, index = place.partition(":")
    if colon and not index.isdecimal():
        raise ValueError(f"layers: expected a path, or 'path:K' of an LSTM, got {place!r}")
    try:
        layer = module.get_submodule(path)
    except AttributeError as error:
        raise ValueError(f"layers: the module has no submodule {path!r}") from error
    if isinstance(layer, LSTM | nn.LSTM):
        return _lstm_entry(layer, path, int(index or 0))
    if colon:
        raise ValueError(f"layers: expected an LSTM at {place!r}, got {type(layer).__name__}")
    for kind, name in (
        (nn.Conv2d, "Convolution"),
        (nn.Linear, "InnerProduct"),
        (nn.Embedding, "Embed"),
    ):
        if isinstance(layer, kind):
            names = [name for name in ("weight", "bias") if getattr(layer, name, None) is not None]
            return Entry(name, tuple(Slot(f"{path}.{blob}") for blob in names), alias)
    raise ValueError(
        f"layers: expected a Conv2d, Linear, Embedding or LSTM at {path!r}, "
        f"got {type(layer).__name__}"
    )


def _lstm_entry(layer: Any, path: str, index: int) -> Entry:
    if layer.bidirectional or layer.proj_size or not layer.bias or index >= layer.num_layers:
        raise ValueError(
            f"layers: Caffe's LSTM is layer {index} of no such LSTM as {path!r}: expected one "
            f"direction, biases and no projection, got {layer}"
        )
    slots = [
        Slot(f"{path}.weight_ih_l{index}", True),
        Slot(f"{path}.bias_ih_l{index}", True, f"{path}.bias_hh_l{index}"),
    ]
    if hasattr(layer, f"weight_is_l{index}"):
        slots.append(Slot(f"{path}.weight_is_l{index}", True))
    return Entry("LSTM", (*slots, Slot(f"{path}.weight_hh_l{index}", True)))


def swap_gates(rows: Tensor) -> Tensor:
    """Rows (4H, ..) from Caffe's gates i, f, o, g to torch's i, f, g, o; its own inverse."""
    i, f, o, g = rows.chunk(4)
    return torch.cat([i, f, g, o])
