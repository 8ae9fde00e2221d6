"""``lrcn_fast::lstm_step``: one step of a search; see :mod:`lrcn_fast.reference.lstm_step`."""

from typing import Any

from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor h, Tensor c, Tensor parents, Tensor weight_hh, Tensor? input=None, "
    "Tensor? weight_ih=None, Tensor? table=None, Tensor? words=None, "
    "Tensor? static_gates=None, Tensor? images=None) -> (Tensor h_n, Tensor c_n)"
)


def _fake(h: Tensor, c: Tensor, parents: Tensor, *others: Tensor | None) -> tuple[Tensor, Tensor]:
    shape = (parents.shape[0], h.shape[1])
    return h.new_empty(shape), h.new_empty(shape)


def _triton(*arguments: Any) -> tuple[Tensor, ...]:
    from lrcn_fast import triton_kernels

    return triton_kernels.lstm_step(*arguments)


_library.define_inference(
    "lstm_step",
    _library.Half(
        _SIGNATURE,
        _fake,
        {"_triton": _triton, "_reference": reference.lstm_step},
        forward_mode=lambda _, *arguments: reference.lstm_step(*arguments),
    ),
)
