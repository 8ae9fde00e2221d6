"""How translations make nodes of ONNX, and what several of them need."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import onnx_ir as ir
from onnxscript import evaluator

__all__ = ["Nodes", "known_to_runtime", "recorded", "size_of"]


class Nodes(ir.tape.Tape):
    """A list of nodes: calling it adds one and returns its output."""

    def __call__(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        return self.op(op_type, inputs, attributes)

    def like(self, model: ir.Value, op_type: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        """A node whose output has the dtype of ``model``."""
        result = self(op_type, *inputs, **attributes)
        if model.dtype is not None:
            result.dtype = model.dtype
        return result

    def constant(self, value: Any, dtype: ir.DataType = ir.DataType.INT64) -> ir.Value:
        """A number, or an array of them."""
        array = np.asarray(value).astype(dtype.numpy())
        return self("Constant", value=ir.tensor(array))

    def cast(self, value: ir.Value, dtype: ir.DataType | None) -> ir.Value:
        """The value in a dtype; itself where it has that already."""
        if dtype is None or value.dtype == dtype:
            return value
        result = self("Cast", value, to=dtype)
        result.dtype = dtype
        return result

    def concat(self, values: Sequence[ir.Value], dim: int) -> ir.Value:
        """Tensors of one dtype behind each other; a single one as it is."""
        if len(values) == 1:
            return values[0]
        return self.like(values[0], "Concat", *values, axis=dim)

    def size(self, value: ir.Value, dim: int) -> ir.Value:
        """A size of a tensor, (1,)."""
        return self("Shape", value, start=dim, end=dim + 1)

    def unsqueeze(self, value: ir.Value, dim: int) -> ir.Value:
        return self.like(value, "Unsqueeze", value, self.constant([dim]))

    def part(self, value: ir.Value, index: int, dim: int, size: int) -> ir.Value:
        """What lies at an index of a dimension of some size, which goes."""
        if size == 1:
            return self("Squeeze", value, self.constant([dim]))
        return self("Gather", value, self.constant(index), axis=dim)

    def swapped(self, sequence: ir.Value, batch_first: bool) -> ir.Value:
        """(T, B, ..) of (B, T, ..) and back where sequences are batch-first."""
        if not batch_first:
            return sequence
        rank = 3 if sequence.shape is None else len(sequence.shape)
        return self.like(sequence, "Transpose", sequence, perm=[1, 0, *range(2, rank)])


def size_of(value: ir.Value, dim: int) -> int:
    """A size that is the same whatever the sizes of the call."""
    assert value.shape is not None
    size = value.shape[dim]
    if not isinstance(size, int):
        raise NotImplementedError(
            f"dynamic_shapes: expected a fixed size in dimension {dim} of {value.name}, got {size}"
        )
    return size


def known_to_runtime(dtype: ir.DataType | None) -> ir.DataType | None:
    """What values are multiplied in: on a CPU ONNX Runtime has next to nothing in bfloat16."""
    return ir.DataType.FLOAT if dtype == ir.DataType.BFLOAT16 else dtype


def recorded(translation: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that takes nodes first one for torch's ``custom_translation_table``."""

    # Torch would read a signature of onnxscript's types off annotations, and has no need of it.
    def translate(*arguments: Any, **named: Any) -> Any:
        nodes = Nodes()
        results = translation(nodes, *arguments, **named)
        # Torch's recorder; through onnxscript's own functions Scan would have one output.
        cast(Any, evaluator.default()).nodes.extend(nodes.nodes)
        return results

    translate.__name__ = translation.__name__
    return translate
