"""``lrcn_fast::vocabulary_top_k``: the best next words; see :mod:`..reference.vocabulary_top_k`."""

from typing import Any

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor hidden, Tensor weight, Tensor? bias, int k, Tensor? forbidden=None) "
    "-> (Tensor log_probs, Tensor words)"
)


def _fake(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, k: int, forbidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    shape = (hidden.shape[0], k)
    double = hidden.dtype == torch.float64
    return (
        hidden.new_empty(shape, dtype=torch.float64 if double else torch.float32),
        hidden.new_empty(shape, dtype=torch.int64),
    )


def _triton(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.vocabulary_top_k(*arguments)


_library.define_inference(
    "vocabulary_top_k",
    _library.Half(
        _SIGNATURE, _fake, {"_triton": _triton, "_reference": reference.vocabulary_top_k}
    ),
)
