"""The recurrence as ONNX's Scan: resets, projections, cell states, float64."""

import onnx_ir as ir

from lrcn_fast.export._cell import compute_dtype, gate_math
from lrcn_fast.export._nodes import Nodes
from lrcn_fast.export._scan import Scan

__all__ = ["loop"]


def loop(nodes: Nodes, scan: Scan) -> list[ir.Value]:
    """Output (T, B, P), h_n (B, P), c_n (B, H) and cells (T, B, H) of a scan.

    The steps are those of :func:`lrcn_fast.reference.lstm_forward`.
    """
    dtype = scan.gates.dtype
    compute = compute_dtype(dtype)
    gates = nodes.swapped(scan.gates, scan.batch_first)
    valid = None if scan.lengths is None else _valid(nodes, gates, scan.lengths)
    carries = _carries(nodes, scan, valid)
    # Those of all steps, or of whatever the steps go over.
    sequences = {"gates": gates, "carries": carries, "valid": valid}
    given = [(name, x) for name, x in sequences.items() if x is not None]
    batch = nodes.size(gates, 1)
    states = [
        _initial(nodes, scan.h0, batch, scan.width, compute),
        _initial(nodes, scan.c0, batch, scan.hidden, compute),
    ]
    outputs = nodes.op_multi_out(
        "Scan",
        [*states, *(x for _, x in given)],
        {
            "body": _body(nodes, scan, [name for name, _ in given], compute),
            "num_scan_inputs": len(given),
            "scan_input_directions": [int(scan.reverse)] * len(given),
            "scan_output_directions": [int(scan.reverse)] * 2,
        },
        num_outputs=4,
    )
    h_n, c_n, output, cells = (
        x if compute == dtype else nodes("Cast", x, to=dtype) for x in outputs
    )
    back = [nodes.swapped(sequence, scan.batch_first) for sequence in (output, cells)]
    return [back[0], h_n, c_n, back[1]]


def _initial(
    nodes: Nodes, state: ir.Value | None, batch: ir.Value, width: int, dtype: ir.DataType | None
) -> ir.Value:
    if state is not None:
        return nodes.cast(state, dtype)
    assert dtype is not None
    shape = nodes("Concat", batch, nodes.constant([width]), axis=0)
    return nodes("Expand", nodes.constant(0, dtype), shape)


def _valid(nodes: Nodes, gates: ir.Value, lengths: ir.Value) -> ir.Value:
    """(T, B, 1): whether the step exists."""
    count = nodes("Squeeze", nodes.size(gates, 0), nodes.constant([0]))
    steps = nodes("Range", nodes.constant(0), count, nodes.constant(1))
    return nodes.unsqueeze(nodes("Less", nodes.unsqueeze(steps, 1), lengths), 2)


def _carries(nodes: Nodes, scan: Scan, valid: ir.Value | None) -> ir.Value | None:
    """(T, B, 1): whether the state before enters the step; a reverse scan asks that of t + 1."""
    if scan.cont is None:
        return None
    carries = nodes.unsqueeze(nodes.swapped(scan.cont, scan.batch_first), 2)
    if not scan.reverse:
        return carries
    if valid is not None:
        carries = nodes("Or", carries, nodes("Not", valid))
    one, end, time = nodes.constant([1]), nodes.constant([2**62]), nodes.constant([0])
    later = nodes("Slice", carries, one, end, time)
    first = nodes("Slice", carries, time, one, time)
    return nodes.concat([later, nodes("Or", first, nodes("Not", first))], 0)


def _body(outer: Nodes, scan: Scan, names: list[str], compute: ir.DataType | None) -> ir.Graph:
    """A step: h, c, then what it takes of each sequence; h and c, then the step's output and c."""
    assert compute is not None
    dtype = scan.gates.dtype
    # Weights are rearranged once, outside.
    recurrent = outer("Transpose", outer.cast(scan.weight_hh, compute), perm=[1, 0])
    projection = scan.weight_hr
    if projection is not None:
        projection = outer("Transpose", outer.cast(projection, compute), perm=[1, 0])
    static = scan.static_gates
    static = None if static is None else outer.cast(static, compute)
    zero = outer.constant(0, compute)

    kinds = {"gates": (dtype, 4 * scan.hidden), "carries": (ir.DataType.BOOL, 1)}
    kinds["valid"] = kinds["carries"]
    h, c = _input("h", compute, scan.width), _input("c", compute, scan.hidden)
    taken = {name: _input(name, *kinds[name]) for name in names}
    nodes = Nodes()

    def select(mask: ir.Value | None, value: ir.Value, other: ir.Value) -> ir.Value:
        return value if mask is None else nodes("Where", mask, value, other)

    carries, valid = taken.get("carries"), taken.get("valid")
    product = nodes("MatMul", select(carries, h, zero), recurrent)
    z = nodes("Add", nodes.cast(taken["gates"], compute), product)
    if static is not None:
        z = nodes("Add", z, static)
    h_new, c_new = gate_math(nodes, z, select(carries, c, zero))
    if projection is not None:
        h_new = nodes("MatMul", h_new, projection)
    if dtype != compute:
        # The state that is carried is the one that the caller is shown.
        h_new = nodes("Cast", nodes("Cast", h_new, to=dtype), to=compute)
    outputs = [
        select(valid, h_new, h),
        select(valid, c_new, c),
        select(valid, h_new, zero),
        select(valid, c_new, zero),
    ]
    # No two outputs of a graph may be one value.
    outputs = [nodes("Identity", x) for x in outputs]
    names = ["h_out", "c_out", "output", "cells"]
    sizes = [scan.width, scan.hidden] * 2
    for value, name, size in zip(outputs, names, sizes, strict=True):
        value.name, value.dtype, value.shape = name, compute, ir.Shape(["B", size])
    return ir.Graph([h, c, *taken.values()], outputs, nodes=nodes.nodes, name="lstm_step")


def _input(name: str, dtype: ir.DataType | None, size: int) -> ir.Value:
    assert dtype is not None
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(["B", size]))
