"""``lstm_step``: one LSTM step of a search."""

import torch
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.triton_kernels import search_kernels
from lrcn_fast.triton_kernels.arguments import DTYPES, check, dense
from lrcn_fast.triton_kernels.launch import Launches, on_device, precision, processors, tiles

__all__ = ["lstm_step"]

_NAME = "lstm_step"


def lstm_step(
    h: Tensor,
    c: Tensor,
    parents: Tensor,
    weight_hh: Tensor,
    input: Tensor | None = None,
    weight_ih: Tensor | None = None,
    table: Tensor | None = None,
    words: Tensor | None = None,
    static_gates: Tensor | None = None,
    images: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step from the state of each row's parent; see ``reference.lstm_step``.

    Returns:
        h (N, H) and c (N, H).

    Raises:
        ValueError: a shape or a device is wrong, or one of two arguments is missing.
        TypeError: a dtype is wrong.
    """
    start = f"lrcn_fast::{_NAME}_triton: argument"
    if h.dim() != 2 or h.shape[1] < 1 or parents.dim() != 1:
        raise ValueError(
            f"{start}s 'h' and 'parents' must be (M, H) with a unit and (N,), "
            f"got {describe(h)} and {describe(parents)}"
        )
    if h.dtype not in DTYPES:
        raise TypeError(f"{start} 'h' must be float32, bfloat16 or float16, got {describe(h)}")
    (states, hidden), count = h.shape, parents.shape[0]
    check(_NAME, "c", c, h, (states, hidden), "(M, H)")
    check(_NAME, "parents", parents, h, (count,), "(N,)", torch.int64)
    check(_NAME, "weight_hh", weight_hh, h, (4 * hidden, hidden), "(4H, H)")
    pairs = [
        ("input", input, "weight_ih", weight_ih),
        ("table", table, "words", words),
        ("static_gates", static_gates, "images", images),
    ]
    for first_name, first, second_name, second in pairs:
        if (first is None) != (second is None):
            raise ValueError(
                f"lrcn_fast::{_NAME}_triton: arguments {first_name!r} and {second_name!r} must be "
                "given together"
            )
    inputs = 0 if input is None else input.shape[-1]
    check(_NAME, "input", input, h, (count, inputs), "(N, I)")
    check(_NAME, "weight_ih", weight_ih, h, (4 * hidden, inputs), "(4H, I)")
    for name, gates, index_name, index in pairs[1:]:
        if gates is not None:
            check(_NAME, name, gates, h, (gates.shape[0], 4 * hidden), "(.., 4H)")
            check(_NAME, index_name, index, h, (count,), "(N,)", torch.int64)

    h_n, c_n = h.new_empty((count, hidden)), h.new_empty((count, hidden))
    if count == 0:
        return h_n, c_n
    mode = precision(h.dtype)
    chosen = tiles(count, hidden, hidden, 4, h.itemsize, mode, processors(h))
    tensors = (h, c, parents, weight_hh, input, weight_ih, table, words, static_gates, images)
    with on_device(h):
        Launches(search_kernels.search_step, chosen, (hidden, inputs, mode))(
            *map(dense, tensors), h_n, c_n, count
        )
    return h_n, c_n
