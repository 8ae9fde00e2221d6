"""The CUDA kernels of the LSTM on the CPU, with the arguments of the operators."""

import torch
from torch import Tensor

from tests.emulator.arrays import like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.cases import Tensors

STEP, CLUSTER, GRID = range(3)  # LstmKernel of lstm_plan.h
FORWARD = ("output", "h_n", "c_n", "cells", "activations")
BACKWARD = ("grad_gates", "grad_h0", "grad_c0", "grad_hidden")


def _arrays(*tensors: Tensor | None) -> list[object]:
    return [None if tensor is None else to_numpy(tensor) for tensor in tensors]


def forward(
    x: Tensors,
    tf32: int = 0,
    save: tuple[str, ...] = ("cells", "activations"),
    kernel: tuple[int, int] = (STEP, -1),
) -> tuple[Tensor, ...]:
    """``lstm_forward``; what is not saved stays NaN.

    Args:
        kernel: which one, and the position in its list of lstm_variants.h.
    """
    outer, hidden, width = x.gates.shape[:2], x.gates.shape[2] // 4, x.weight_hh.shape[1]
    batch = outer[0] if x.batch_first else outer[1]
    dtype = x.gates.dtype
    shapes = [
        (*outer, width),
        (batch, width),
        (batch, hidden),
        (*outer, hidden),
        (*outer, 4 * hidden),
    ]
    outputs = [like(dtype, *shape) for shape in shapes]
    given = [
        array if name not in ("cells", "activations") or name in save else None
        for name, array in zip(FORWARD, outputs, strict=True)
    ]
    optional = (x.weight_hr, x.static_gates, x.h0, x.c0, x.cont, x.lengths)
    emulator().lstm_forward(
        *_arrays(x.gates, x.weight_hh, *optional), x.reverse, x.batch_first, tf32, *kernel, *given
    )
    return tuple(to_torch(array, dtype) for array in outputs)


def backward(
    x: Tensors,
    activations: Tensor,
    cells: Tensor,
    tf32: int = 0,
    kernel: tuple[int, int] = (STEP, -1),
) -> tuple[Tensor, ...]:
    """``lstm_backward`` of what a forward saved."""
    outer, hidden, width = cells.shape[:2], cells.shape[2], x.weight_hh.shape[1]
    batch = outer[0] if x.batch_first else outer[1]
    dtype = cells.dtype
    shapes = [(*outer, 4 * hidden), (batch, width), (batch, hidden)]
    shapes += [] if x.weight_hr is None else [(*outer, width)]
    outputs = [like(dtype, *shape) for shape in shapes]
    weights = x.weight_hh, *(None if w is None else w.t() for w in (x.weight_hh, x.weight_hr))
    grads = (x.grad_output, x.grad_h_n, x.grad_c_n, x.grad_cells)
    emulator().lstm_backward(
        *_arrays(*grads, activations, cells, *weights, x.c0, x.cont, x.lengths),
        *(x.reverse, x.batch_first, tf32, *kernel),
        *(outputs if x.weight_hr is not None else [*outputs, None]),
    )
    results = [to_torch(array, dtype) for array in outputs]
    return (*results, torch.empty(0, dtype=dtype)) if x.weight_hr is None else tuple(results)
