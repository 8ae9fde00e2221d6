"""One step of an LSTM in pointwise operators, and the gate math that the Scan's steps have too."""

import onnx_ir as ir

from lrcn_fast.export._nodes import Nodes

__all__ = ["compute_dtype", "gate_math", "lstm_cell_forward"]


def compute_dtype(dtype: ir.DataType | None) -> ir.DataType | None:
    """What values of a dtype are computed in: half types in float32, as the kernels do."""
    half = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
    return ir.DataType.FLOAT if dtype in half else dtype


def gate_math(nodes: Nodes, gates: ir.Value, c: ir.Value | None) -> tuple[ir.Value, ir.Value]:
    """h (B, H) and c (B, H) of gates (B, 4H) and the c before, zeros when None."""
    i, f, g, o = nodes.op_multi_out("Split", [gates], {"axis": -1, "num_outputs": 4}, num_outputs=4)
    i, f, o = (nodes("Sigmoid", gate) for gate in (i, f, o))
    c_new = nodes("Mul", i, nodes("Tanh", g))
    if c is not None:
        c_new = nodes("Add", nodes("Mul", f, c), c_new)
    return nodes("Mul", o, nodes("Tanh", c_new)), c_new


def lstm_cell_forward(nodes: Nodes, gates: ir.Value, c0: ir.Value | None) -> list[ir.Value]:
    """``lrcn_fast::lstm_cell_forward``: h and c; activations are for its backward alone."""
    dtype = gates.dtype
    compute = compute_dtype(dtype)
    before = None if c0 is None else nodes.cast(c0, compute)
    h, c = gate_math(nodes, nodes.cast(gates, compute), before)
    return [h, c] if compute == dtype else [nodes("Cast", x, to=dtype) for x in (h, c)]
