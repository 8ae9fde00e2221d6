"""The layers of a net: old forms brought into the newest one, and include and exclude rules."""

from collections.abc import Sequence
from typing import Any

from lrcn_fast.caffe.errors import CaffeError
from lrcn_fast.caffe.messages import net_messages

__all__ = ["layers_of"]

PHASES = {"train": 0, "test": 1}
V1_NAMES = {
    "HDF5_DATA": "HDF5Data",
    "LRN": "LRN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


def layers_of(net: Any, phase: str, level: int, stages: Sequence[str]) -> list[Any]:
    """The LayerParameter messages that a NetState includes, in order.

    Args:
        net: the NetParameter.
        phase: ``"train"`` or ``"test"``.
        level: the state's level.
        stages: the state's stages, to which those are added that the net itself names.

    Raises:
        CaffeError: a layer has include and exclude rules at once, or the net mixes old and new.
        ValueError: ``phase`` is neither of the two.
    """
    if phase not in PHASES:
        raise ValueError(f"phase: expected 'train' or 'test', got {phase!r}")
    if isinstance(stages, str):
        raise ValueError(f"stages: expected a sequence of names, got the one string {stages!r}")
    if net.layer and net.layers:
        raise CaffeError("the net has layers of the old form and of the new one (layers, layer)")
    layers = [*map(_upgraded, net.layers), *net.layer]
    for layer in layers:
        if layer.include and layer.exclude:
            raise CaffeError(f"layer {layer.name!r} has include and exclude rules at once")
    state = (PHASES[phase], level, {*stages, *net.state.stage})
    included = [layer for layer in layers if _included(layer, *state)]
    return [*_input_layer(net), *included]


def _included(layer: Any, phase: int, level: int, stages: set[str]) -> bool:
    rules = layer.include or layer.exclude
    met = any(
        (not rule.HasField("phase") or rule.phase == phase)
        and (not rule.HasField("min_level") or level >= rule.min_level)
        and (not rule.HasField("max_level") or level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
        for rule in rules
    )
    return met if layer.include else not met


def _upgraded(old: Any) -> Any:
    new = net_messages()["LayerParameter"](
        name=old.name,
        bottom=old.bottom,
        top=old.top,
        loss_weight=old.loss_weight,
        include=old.include,
        exclude=old.exclude,
    )
    if not old.HasField("type"):
        raise CaffeError(f"layer {old.name!r} has no type, or one that is not known")
    word = old.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[old.type].name
    new.type = V1_NAMES.get(word) or "".join(part.capitalize() for part in word.split("_"))
    for name in old.param:
        new.param.add(name=name)
    for field, value in old.ListFields():
        if field.name.endswith("_param"):
            getattr(new, field.name).CopyFrom(value)
    return new


def _input_layer(net: Any) -> list[Any]:
    """The net's own ``input`` fields as the Input layer that they stand for."""
    names, shapes, dims = list(net.input), list(net.input_shape), list(net.input_dim)
    if not names:
        return []
    layer = net_messages()["LayerParameter"](name="input", type="Input", top=names)
    if dims and not shapes:
        if len(dims) != 4 * len(names):
            raise CaffeError(
                f"input_dim: expected 4 numbers for each of {len(names)} inputs, got {len(dims)}"
            )
        for start in range(0, len(dims), 4):
            layer.input_param.shape.add(dim=dims[start : start + 4])
    elif shapes:
        if len(shapes) != len(names):
            raise CaffeError(f"input_shape: expected {len(names)} shapes, got {len(shapes)}")
        layer.input_param.shape.extend(shapes)
    return [layer]
