"""``lrcn_fast::cross_entropy``: the loss of rows of scores, in place; native, ``_triton``.

See :func:`lrcn_fast.reference.cross_entropy.cross_entropy`. The step between the products of
:mod:`lrcn_fast.ops.linear_cross_entropy`, which has the derivative.
"""

from typing import Any

import torch
from torch import Tensor

from lrcn_fast.ops import _library

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor(a!) logits, Tensor targets, Tensor scale, int ignore_index, bool gradient) -> Tensor"
)


def _fake(
    logits: Tensor, targets: Tensor, scale: Tensor, ignore_index: int, gradient: bool
) -> Tensor:
    double = logits.dtype == torch.float64
    return logits.new_empty(logits.shape[0], dtype=torch.float64 if double else torch.float32)


def _triton(*arguments: Any) -> Tensor:
    from lrcn_fast import triton_kernels

    losses: Tensor = triton_kernels.cross_entropy(*arguments)
    return losses


_library.define_undifferentiable(
    "cross_entropy", _library.Half(_SIGNATURE, _fake, {"_triton": _triton})
)
