"""Definition of several scans in one call: each is what ``lstm_forward`` makes of it alone.

A list has a tensor for each scan. A list of what no scan has is empty, and a tensor of shape (0,)
stands for what a scan lacks.
"""

from collections.abc import Sequence

from torch import Tensor

from lrcn_fast.reference.lstm import lstm_backward, lstm_forward

Tensors = Sequence[Tensor]


def tensor_at(tensors: Tensors, scan: int) -> Tensor | None:
    """The tensor of a scan, None where it has none."""
    return None if len(tensors) == 0 or tensors[scan].shape == (0,) else tensors[scan]


def listed(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """The list of what scans have and lack."""
    given = [tensor for tensor in tensors if tensor is not None]
    return [given[0].new_empty(0) if x is None else x for x in tensors] if given else []


def lists_of(results: Sequence[Sequence[Tensor]]) -> tuple[list[Tensor], ...]:
    """Lists over the scans from the results of each."""
    return tuple(map(list, zip(*results, strict=True)))


def lstm_scans_forward(
    gates: Tensors,
    weight_hh: Tensors,
    weight_hr: Tensors,
    static_gates: Tensors,
    h0: Tensors,
    c0: Tensors,
    cont: Tensors,
    lengths: Tensors,
    reverse: Sequence[bool],
    batch_first: bool = False,
    save_cells: bool = False,
    save_activations: bool = False,
) -> tuple[list[Tensor], ...]:
    """Scans with the same B, H, P and dtype; T and ``reverse`` are each scan's own.

    Args:
        gates, weight_hh, reverse: of each scan, as the others, in ``lstm_forward``.
        weight_hr, static_gates, h0, c0, cont, lengths: empty, or of each scan, (0,) for none.
        batch_first, save_cells, save_activations: of all scans.

    Returns:
        Lists of output, h_n, c_n, cells and activations over the scans.
    """
    results = [
        lstm_forward(
            gates[n],
            weight_hh[n],
            tensor_at(weight_hr, n),
            tensor_at(static_gates, n),
            tensor_at(h0, n),
            tensor_at(c0, n),
            tensor_at(cont, n),
            tensor_at(lengths, n),
            reverse[n],
            batch_first,
            save_cells,
            save_activations,
        )
        for n in range(len(gates))
    ]
    return lists_of(results)


def lstm_scans_backward(
    grad_output: Tensors,
    grad_h_n: Tensors,
    grad_c_n: Tensors,
    grad_cells: Tensors,
    activations: Tensors,
    cells: Tensors,
    weight_hh: Tensors,
    weight_hr: Tensors,
    c0: Tensors,
    cont: Tensors,
    lengths: Tensors,
    reverse: Sequence[bool],
    batch_first: bool = False,
) -> tuple[list[Tensor], ...]:
    """Gradients of :func:`lstm_scans_forward`, each scan's as ``lstm_backward`` has them.

    Returns:
        Lists of grad_gates, grad_h0, grad_c0 and grad_hidden over the scans.
    """
    results = [
        lstm_backward(
            tensor_at(grad_output, n),
            tensor_at(grad_h_n, n),
            tensor_at(grad_c_n, n),
            tensor_at(grad_cells, n),
            activations[n],
            cells[n],
            weight_hh[n],
            tensor_at(weight_hr, n),
            tensor_at(c0, n),
            tensor_at(cont, n),
            tensor_at(lengths, n),
            reverse[n],
            batch_first,
        )
        for n in range(len(activations))
    ]
    return lists_of(results)
