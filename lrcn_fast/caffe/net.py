"""A net of Caffe's as a module."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lrcn_fast._arguments import describe
from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.fusion import fused, run_chain
from lrcn_fast.caffe.graph import Graph, Step
from lrcn_fast.caffe.layers import Layer, Recurrent

__all__ = ["Net"]


class Net(nn.Module):
    """What :func:`lrcn_fast.caffe.load_net` builds: layers by name, run as their blobs need.

    The layers are submodules under their own names, with parameters ``weight`` and ``bias``, and
    of an LSTM ``weight_ih``, ``bias``, ``weight_is`` and ``weight_hh`` in torch's gate order.

    Attributes:
        inputs: names of the blobs that a call can be given.
        blobs: names of all blobs.
        outputs: names of the blobs that layers make and none reads.
    """

    def __init__(self, graph: Graph, layers: Mapping[str, Layer]) -> None:
        super().__init__()
        self._graph = graph
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.inputs = tuple(graph.inputs)
        self.blobs = tuple(graph.last)
        self.outputs = graph.outputs()

    def forward(
        self, inputs: Mapping[str, Tensor], blobs: Sequence[str] | None = None
    ) -> dict[str, Tensor]:
        """Compute blobs; only the layers that they need are run.

        Args:
            inputs: the net's inputs by name, as many as are needed. Floating ones are brought to
                the dtype of the parameters. Sizes of batch and time need not be those of the file.
            blobs: names of blobs, of which each is what the last layer of the file leaves in it;
                None computes ``outputs``.

        Returns:
            The blobs by name. Losses are multiplied by their ``loss_weight``.

        Raises:
            TypeError: ``inputs`` is no dict of tensors, or ``blobs`` a string.
            CaffeError: a name is not one of the net's, an input is missing, or a layer cannot work
                on the shapes or values that came.
        """
        if not isinstance(inputs, Mapping):
            raise TypeError(f"inputs: expected a dict of tensors by name, got {describe(inputs)}")
        if isinstance(blobs, str):
            raise TypeError(f"blobs: expected a sequence of names, got the one string {blobs!r}")
        wanted = self.outputs if blobs is None else tuple(blobs)
        for what, names, known in (("inputs", inputs, self.inputs), ("blobs", wanted, self.blobs)):
            unknown = sorted(set(names) - set(known))
            if unknown:
                raise CaffeError(f"{what}: expected names out of {list(known)}, got {unknown}")
        numbers = {name: self._graph.last[name] for name in wanted}
        needed = self._graph.needed(numbers.values())
        steps = fused(needed, numbers.values(), self.get_submodule)
        values = self._given(inputs, steps, numbers.values())
        readers = Counter(number for step in steps for number in step.bottoms)
        readers.update(numbers.values())
        for step in steps:
            tops = self._run(step, [values[number] for number in step.bottoms])
            values.update(zip(step.tops, tops, strict=True))
            readers.subtract(step.bottoms)
            # Without gradients this is the end of what nobody reads any more.
            values = {number: value for number, value in values.items() if readers[number] > 0}
        return {name: values[number] for name, number in numbers.items()}

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """The layers with the names of their modules, in order."""
        for name, layer in self.named_children():
            assert isinstance(layer, Layer)
            yield name, layer

    def reset(self) -> None:
        """Forget the states of all recurrent layers: the next call begins with zeros."""
        for _, layer in self.named_layers():
            if isinstance(layer, Recurrent):
                layer.reset()

    def _given(
        self, inputs: Mapping[str, Tensor], steps: Sequence[Step], wanted: Any
    ) -> dict[int, Tensor]:
        needed = {*wanted, *(number for step in steps for number in step.bottoms)}
        parameter = next(self.parameters(), None)
        values = {}
        for name, number in self._graph.inputs.items():
            if name in inputs:
                value = inputs[name]
                if not isinstance(value, Tensor):
                    raise TypeError(f"inputs[{name!r}]: expected a tensor, got {describe(value)}")
                if parameter is not None and value.is_floating_point():
                    value = value.to(parameter.dtype)
                values[number] = value
            elif number in needed:
                raise CaffeError(f"inputs: {name!r} is missing, the blobs asked for need it")
        return values

    def _run(self, step: Step, bottoms: Sequence[Tensor]) -> tuple[Tensor, ...]:
        layers = [self.get_submodule(name) for name in step.layers]
        try:
            tops = layers[0](*bottoms) if len(layers) == 1 else run_chain(layers, *bottoms)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            shapes = [tuple(bottom.shape) for bottom in bottoms]
            raise CaffeError(
                f"layer {' + '.join(map(_title, layers))}, bottoms of shapes {shapes}: {error}"
            ) from error
        return (tops,) if isinstance(tops, Tensor) else tops


def _title(layer: nn.Module) -> str:
    return f"{layer.name!r} ({layer.kind})"
