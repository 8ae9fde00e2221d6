"""Weights of an exported model, rearranged once instead of whenever it is loaded."""

import sys

import onnx_ir as ir
import onnx_ir.passes.common
from onnxscript import optimizer

__all__ = ["fold_weights"]

# What the translations do to weights, none of which makes them larger.
_REARRANGING = {"Add", "Cast", "Concat", "Gather", "Pad", "Transpose", "Unsqueeze"}


def fold_weights(model: ir.Model) -> None:
    """Replace what is computed of weights alone by its result.

    Torch does so up to a few thousand values.
    """
    optimizer.fold_constants(
        model,
        output_size_limit=sys.maxsize,
        should_fold=lambda node: node.op_type in _REARRANGING,
    )
    onnx_ir.passes.common.RemoveUnusedNodesPass()(model)
