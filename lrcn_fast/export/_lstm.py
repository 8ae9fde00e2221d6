"""The recurrence as ONNX's LSTM operator, where that can say it, else as a Scan."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from lrcn_fast.export._loop import loop
from lrcn_fast.export._nodes import Nodes, known_to_runtime
from lrcn_fast.export._scan import Results, Scan
from lrcn_fast.reference.lstm_scans import tensor_at

__all__ = ["lstm_forward", "lstm_scans_forward"]

# ONNX Runtime has no LSTM of float64.
_OPERATOR_DTYPES = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
# ONNX has the gates of a unit as i, o, f, g.
_ORDER = [0, 3, 1, 2]


def lstm_forward(
    nodes: Nodes,
    gates: ir.Value,
    weight_hh: ir.Value,
    weight_hr: ir.Value | None,
    static_gates: ir.Value | None,
    h0: ir.Value | None,
    c0: ir.Value | None,
    cont: ir.Value | None,
    lengths: ir.Value | None,
    reverse: bool,
    batch_first: bool,
    save_cells: bool,
    save_activations: bool,
    tf32: int = 0,
) -> list[ir.Value]:
    """``lrcn_fast::lstm_forward``: output, h_n, c_n, and cells where they are saved."""
    optional = (weight_hr, static_gates, h0, c0, cont, lengths)
    scan = Scan(reverse, batch_first, gates, weight_hh, *optional)
    return _run(nodes, [scan], save_cells, save_activations)[0]


def lstm_scans_forward(
    nodes: Nodes,
    gates: Sequence[ir.Value],
    weight_hh: Sequence[ir.Value],
    weight_hr: Sequence[ir.Value],
    static_gates: Sequence[ir.Value],
    h0: Sequence[ir.Value],
    c0: Sequence[ir.Value],
    cont: Sequence[ir.Value],
    lengths: Sequence[ir.Value],
    reverse: Sequence[bool],
    batch_first: bool,
    save_cells: bool,
    save_activations: bool,
    tf32: int,
) -> list[Results]:
    """``lrcn_fast::lstm_scans_forward``: lists of what each scan returns."""
    optional: tuple[Any, ...] = (weight_hr, static_gates, h0, c0, cont, lengths)
    scans = []
    for n, reverses in enumerate(reverse):
        found: list[Any] = [tensor_at(tensors, n) for tensors in optional]
        scans.append(Scan(reverses, batch_first, gates[n], weight_hh[n], *found))
    return [
        Results(column)
        for column in zip(*_run(nodes, scans, save_cells, save_activations), strict=True)
    ]


def _run(
    nodes: Nodes, scans: list[Scan], save_cells: bool, save_activations: bool
) -> list[list[ir.Value]]:
    # With the activations, cells are saved for a backward, and it is not known who else needs
    # them: where nobody does, a loop for them alone is removed as unused.
    asked_for = save_cells and not save_activations
    if asked_for or not all(map(_fits_operator, scans)):
        results = [loop(nodes, scan) for scan in scans]
        return [result if save_cells else result[:3] for result in results]
    together = [scan.reverse for scan in scans] == [False, True] and _share_input(*scans)
    groups = [scans] if together else [[scan] for scan in scans]
    results = [result for group in groups for result in _operator(nodes, group)]
    if save_cells:
        for scan, result in zip(scans, results, strict=True):
            result.append(loop(nodes, scan)[3])
    return results


def _fits_operator(scan: Scan) -> bool:
    if scan.gates.dtype not in _OPERATOR_DTYPES or scan.factors is None:
        return False
    if scan.static_gates is not None and scan.static_factors is None:
        return False
    return scan.cont is None and scan.weight_hr is None


def _share_input(first: Scan, second: Scan) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and a.input is b.input)
        for a, b in (
            (first.factors, second.factors),
            (first.static_factors, second.static_factors),
        )
    )


def _operator(nodes: Nodes, scans: list[Scan]) -> list[list[ir.Value]]:
    """One LSTM for a scan, or for both directions of a layer: output, h_n and c_n of each."""
    first, hidden = scans[0], scans[0].hidden
    dtype = first.gates.dtype
    compute = known_to_runtime(dtype)

    def joined(values: Sequence[ir.Value | None]) -> ir.Value | None:
        """(D, ..) of what each scan has as (1, ..), if they have it."""
        given = [nodes.cast(value, compute) for value in values if value is not None]
        return nodes.concat(given, 0) if given else None

    def reordered(values: Sequence[ir.Value | None]) -> ir.Value | None:
        """(D, 4H, ..) in ONNX's order of gates of what each scan has as (4H, ..)."""
        rows = joined(values)
        places = np.arange(len(scans) * 4 * hidden).reshape(len(scans), 4, hidden)
        order = nodes.constant(places[:, _ORDER].reshape(len(scans), -1))
        return None if rows is None else nodes("Gather", rows, order, axis=0)

    x, weights, biases = _inputs(nodes, scans, compute)
    bias = reordered(biases)
    if bias is not None:
        # The second half is that of the recurrent product.
        bias = nodes("Pad", bias, nodes.constant([0, 0, 0, 4 * hidden]))
    lengths = first.lengths
    initial = [
        joined([None if state is None else nodes.unsqueeze(state, 0) for state in states])
        for states in ([scan.h0 for scan in scans], [scan.c0 for scan in scans])
    ]
    inputs = (
        x,
        reordered(weights),
        reordered([scan.weight_hh for scan in scans]),
        bias,
        None if lengths is None else nodes.cast(lengths, ir.DataType.INT32),
        *initial,
    )
    direction = "bidirectional" if len(scans) > 1 else "reverse" if first.reverse else "forward"
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    output, *states = nodes.op_multi_out("LSTM", inputs, attributes, num_outputs=3)
    if lengths is not None:
        # ONNX Runtime returns zeros of rows without steps.
        begins = nodes("Greater", nodes.unsqueeze(lengths, 1), nodes.constant(0))
        states = [
            last if start is None else nodes("Where", begins, last, start)
            for last, start in zip(states, initial, strict=True)
        ]
    results = []
    for n in range(len(scans)):
        sequence = nodes.swapped(nodes.part(output, n, 1, len(scans)), first.batch_first)
        finals = [nodes.part(state, n, 0, len(scans)) for state in states]
        found = [sequence, *finals]
        results.append(found if compute == dtype else [nodes("Cast", y, to=dtype) for y in found])
    return results


def _inputs(
    nodes: Nodes, scans: list[Scan], dtype: ir.DataType | None
) -> tuple[ir.Value, list[ir.Value], list[ir.Value | None]]:
    """The input (T, B, I) that scans share, and the weights (4H, I) and bias (4H,) of each.

    ONNX has no bias for each row: a static input becomes a part of the input at every step.
    """
    factors = [scan.factors for scan in scans if scan.factors is not None]
    x = nodes.swapped(nodes.cast(factors[0].input, dtype), scans[0].batch_first)
    weights = [each.weight for each in factors]
    statics = [scan.static_factors for scan in scans if scan.static_factors is not None]
    if statics:
        times = nodes("Concat", nodes.size(x, 0), nodes.constant([1, 1]), axis=0)
        every = nodes("Expand", nodes.cast(statics[0].input, dtype), times)
        x = nodes.concat([x, every], 2)
        weights = [
            nodes.concat([weight, static.weight], 1)
            for weight, static in zip(weights, statics, strict=True)
        ]
    return x, weights, [each.bias for each in factors]
