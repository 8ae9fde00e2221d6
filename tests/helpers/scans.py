"""Arguments of the operators over lists from those of single scans."""

from typing import Any

from torch import Tensor

from tests.helpers.cases import Tensors

LISTS = ("gates", "weight_hh", "weight_hr", "static_gates", "h0", "c0", "cont", "lengths")


def _listed(tensors: list[Tensor | None]) -> list[Tensor]:
    """Empty where no scan has the tensor, (0,) where one lacks it."""
    given = [tensor for tensor in tensors if tensor is not None]
    if not given:
        return []
    return [given[0].new_empty(0) if tensor is None else tensor for tensor in tensors]


def forward_arguments(scans: list[Tensors]) -> tuple[Any, ...]:
    """Positional arguments of ``lstm_scans_forward`` up to and including batch_first."""
    lists = [_listed([getattr(x, name) for x in scans]) for name in LISTS]
    return (*lists, [x.reverse for x in scans], scans[0].batch_first)


def backward_arguments(scans: list[Tensors], saved: list[tuple[Tensor, Tensor]]) -> tuple[Any, ...]:
    """Positional arguments of ``lstm_scans_backward`` from each scan's activations and cells."""
    grads = ("grad_output", "grad_h_n", "grad_c_n", "grad_cells")
    rest = ("weight_hh", "weight_hr", "c0", "cont", "lengths")
    return (
        *(_listed([getattr(x, name) for x in scans]) for name in grads),
        *(list(tensors) for tensors in zip(*saved, strict=True)),
        *(_listed([getattr(x, name) for x in scans]) for name in rest),
        [x.reverse for x in scans],
        scans[0].batch_first,
    )
