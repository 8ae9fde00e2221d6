"""Build a net from its file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lrcn_fast._files import StrPath
from lrcn_fast.caffe.definition import layers_of
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.graph import Graph, Step
from lrcn_fast.caffe.layers import INPUT_TYPES, LAYERS, Layer, Shape, input_shapes
from lrcn_fast.caffe.net import Net
from lrcn_fast.caffe.reader import read_net

__all__ = ["build_net"]

# As in Caffe, which counts the values of a blob in 32 bits; and half as many again as the largest
# LRCN has, a captioner with VGG-16.
MAX_BLOB = 2**31 - 1
MAX_PARAMETERS = 2**28


_EMPTY = Net(Graph(), {})


class _Builder:
    def __init__(self, given: Mapping[str, Sequence[int]]) -> None:
        self.graph = Graph()
        self.layers: dict[str, Layer] = {}
        self.shapes: dict[int, Shape | None] = {}
        self.given = dict(given)
        self.named: dict[str, tuple[nn.Parameter, bool]] = {}

    def add(self, layer: Any) -> None:
        """Take one layer of the file in."""
        words = (layer.name, layer.type, *layer.bottom, *layer.top)
        if not all(isinstance(word, str) for word in words):
            raise CaffeError(f"expected names in UTF-8, got {words}")
        if layer.type in INPUT_TYPES:
            for name, shape in zip(layer.top, input_shapes(layer), strict=True):
                given = self.given.pop(name, None)
                self._note(self.graph.add_input(name), shape if given is None else tuple(given))
        elif layer.type == "Silence":
            self.graph.read(layer.bottom)
        elif layer.type in LAYERS:
            self._add_module(layer)
        else:
            raise CaffeError(f"the type is not supported; there are {', '.join(sorted(LAYERS))}")

    def _note(self, number: int, shape: Shape | None) -> None:
        if shape is not None and math.prod(shape) > MAX_BLOB:
            raise CaffeError(f"a blob of shape {shape} has more than {MAX_BLOB} values")
        self.shapes[number] = shape

    def _add_module(self, layer: Any) -> None:
        bottoms = self.graph.read(layer.bottom)
        shapes = []
        for name, number in zip(layer.bottom, bottoms, strict=True):
            shape = self.shapes[number]
            if shape is None:
                raise CaffeError(
                    f"the shape of input {name!r} is not in the file: "
                    f"give load_net input_shapes={{{name!r}: (..)}}"
                )
            shapes.append(shape)
        if any(layer.loss_weight) and layer.type != "SoftmaxWithLoss":
            raise CaffeError("loss_weight is supported on SoftmaxWithLoss alone")
        module = LAYERS[layer.type](layer, shapes)
        self._share(layer, module)
        with torch.no_grad():
            tops = module(*(torch.empty(shape, device="meta") for shape in shapes))
        tops = (tops,) if isinstance(tops, torch.Tensor) else tops
        made = self.graph.make(layer.top, layer.bottom)
        for number, top in zip(made, tops, strict=True):
            self._note(number, tuple(top.shape))
        self.graph.steps.append(Step((self._register(layer.name, module),), bottoms, made))

    def _share(self, layer: Any, module: Layer) -> None:
        """Put the parameters of an earlier layer in, where ``param`` gives them one name."""
        for blob, spec in zip(module.blob_names, layer.param, strict=False):
            own = (getattr(module, blob), blob in module.gate_blobs)
            shared = self.named.setdefault(spec.name, own) if spec.name else own
            if shared[0].shape != own[0].shape or shared[1] != own[1]:
                raise CaffeError(
                    f"param {spec.name!r}: expected a blob of shape {tuple(own[0].shape)} in a "
                    f"layer of this kind, it is shared with one of {tuple(shared[0].shape)}"
                )
            setattr(module, blob, shared[0])

    def _register(self, name: str, module: Layer) -> str:
        if module.blob_names and name in (
            other.name for other in self.layers.values() if other.blob_names
        ):
            raise CaffeError("another layer with parameters has the same name")
        # torch allows neither a dot nor the name of an attribute, nor two layers of one name.
        key = name.replace(".", "_") or module.kind
        while key in self.layers or hasattr(_EMPTY, key):
            key += "_"
        self.layers[key] = module
        return key


def build_net(
    path: StrPath,
    phase: str,
    level: int,
    stages: Sequence[str],
    given: Mapping[str, Sequence[int]],
) -> Net:
    """Build a net and fill its parameters as its fillers say.

    Raises:
        CaffeError: the file is damaged or a layer is not supported; the message names it.
    """
    definition = read_net(path)
    builder = _Builder(given)
    layer = None
    try:
        for layer in layers_of(definition, phase, level, stages):
            builder.add(layer)
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        state = f"phase {phase}, stages {list(stages)}"
        where = "" if layer is None else f"layer {layer.name!r} ({layer.type}), {state}: "
        raise CaffeError(f"{path}: {where}{error}") from error
    if builder.given:
        raise CaffeError(f"input_shapes: {sorted(builder.given)} are no inputs of {path}")
    net = Net(builder.graph, builder.layers)
    _materialize(net, path)
    net.reset()
    return net.train(phase == "train")


def _materialize(net: Net, path: StrPath) -> None:
    """Give the parameters memory and values; shared ones stay shared."""
    total = sum(parameter.numel() for parameter in net.parameters())
    if total > MAX_PARAMETERS:
        raise CaffeError(f"{path}: {total} parameters, more than {MAX_PARAMETERS}")
    made: dict[nn.Parameter, nn.Parameter] = {}
    for _, module in net.named_layers():
        for name in module.blob_names:
            old = getattr(module, name)
            if old not in made:
                made[old] = nn.Parameter(torch.empty_like(old, device="cpu"))
                module.fillers[name].fill(made[old])
            setattr(module, name, made[old])
