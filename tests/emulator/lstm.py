"""The CUDA kernels of the LSTM on the CPU, with the arguments of the operators."""

from typing import Any

from torch import Tensor

from tests.emulator.arrays import like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.cases import Tensors

STEP, CLUSTER, GRID = range(3)  # LstmKernel of lstm_plan.h
FORWARD = ("output", "h_n", "c_n", "cells", "activations")
BACKWARD = ("grad_gates", "grad_h0", "grad_c0", "grad_hidden")
Results = tuple[Tensor, ...]
Kernel = tuple[int, int]
"""Which one, and the position in its list of lstm_variants.h."""


def _arrays(x: Tensors, **others: Tensor | None) -> dict[str, Any]:
    """What a scan reads, by name."""
    given = {name: v for name, v in {**vars(x), **others}.items() if not isinstance(v, bool)}
    arrays = {name: None if v is None else to_numpy(v) for name, v in given.items()}
    return {**arrays, "reverse": x.reverse, "batch_first": x.batch_first}


def _empty(x: Tensors, names: tuple[str, ...]) -> dict[str, Any]:
    """What a scan writes, by name."""
    outer, hidden, width = x.gates.shape[:2], x.gates.shape[2] // 4, x.weight_hh.shape[1]
    batch = outer[0] if x.batch_first else outer[1]
    shapes = {
        **dict.fromkeys(("output", "grad_hidden"), (*outer, width)),
        **dict.fromkeys(("h_n", "grad_h0"), (batch, width)),
        **dict.fromkeys(("c_n", "grad_c0"), (batch, hidden)),
        **dict.fromkeys(("activations", "grad_gates"), (*outer, 4 * hidden)),
        "cells": (*outer, hidden),
    }
    return {name: like(x.gates.dtype, *shapes[name]) for name in names}


def _choices(kernel: Kernel, together: int, then: tuple[Kernel, ...]) -> list[tuple[int, int, int]]:
    """As a plan has them: so many scans in a launch, else one."""
    kernels = [] if kernel[0] == STEP else [kernel, *then]
    return [(*one, scans) for one in kernels for scans in (together, 1)]


def forward_scans(
    scans: list[Tensors],
    tf32: int = 0,
    save: tuple[str, ...] = ("cells", "activations"),
    kernel: Kernel = (STEP, -1),
    together: int = 4,
    then: tuple[Kernel, ...] = (),
) -> list[Results]:
    """``lstm_forward`` of several scans in one call; what is not saved stays NaN.

    Args:
        kernel: of the first choice.
        together: scans of a launch.
        then: what is tried where that does not fit.
    """
    outputs = [_empty(x, FORWARD) for x in scans]
    skipped = dict.fromkeys({"cells", "activations"} - set(save))
    calls = [{**_arrays(x), **out, **skipped} for x, out in zip(scans, outputs, strict=True)]
    emulator().lstm_forward(calls, tf32, _choices(kernel, together, then))
    return [
        tuple(to_torch(array, x.gates.dtype) for array in out.values())
        for x, out in zip(scans, outputs, strict=True)
    ]


def backward_scans(
    scans: list[Tensors],
    saved: list[tuple[Tensor, Tensor]],
    tf32: int = 0,
    kernel: Kernel = (STEP, -1),
    together: int = 4,
    then: tuple[Kernel, ...] = (),
) -> list[Results]:
    """``lstm_backward`` of the (activations, cells) that a forward saved of each scan."""
    outputs = [_empty(x, BACKWARD) for x in scans]
    calls = []
    for x, (activations, cells), out in zip(scans, saved, outputs, strict=True):
        arrays = _arrays(
            x,
            activations=activations,
            cells=cells,
            weight_hh_transposed=x.weight_hh.t(),
            weight_hr_transposed=None if x.weight_hr is None else x.weight_hr.t(),
        )
        hidden = out["grad_hidden"] if x.weight_hr is not None else None
        calls.append({**arrays, **out, "grad_hidden": hidden})
    emulator().lstm_backward(calls, tf32, _choices(kernel, together, then))
    results = []
    for x, out in zip(scans, outputs, strict=True):
        grads = [to_torch(array, x.gates.dtype) for array in out.values()]
        results.append((*grads[:3], grads[3] if x.weight_hr is not None else grads[3].new_empty(0)))
    return results


def forward(x: Tensors, *options: Any, **named: Any) -> Results:
    """:func:`forward_scans` of a single one."""
    return forward_scans([x], *options, **named)[0]


def backward(
    x: Tensors, activations: Tensor, cells: Tensor, *options: Any, **named: Any
) -> Results:
    """:func:`backward_scans` of a single one."""
    return backward_scans([x], [(activations, cells)], *options, **named)[0]
