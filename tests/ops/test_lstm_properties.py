"""Hypothesis over shapes, strides, masks and threads: native forward and backward are the loop."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import Tensors
from tests.helpers.tolerance import assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast


@st.composite
def rows(draw: st.DrawFn) -> Tensors:
    """Any small problem: sizes, options, strides and values.

    Some are wide, because only those have the work that is divided among threads.
    """
    T, B = draw(st.integers(1, 9)), draw(st.integers(0, 7))
    H = draw(st.one_of(st.integers(1, 40), st.integers(1, 40), st.integers(120, 260)))
    P = draw(st.one_of(st.just(0), st.integers(1, max(1, H - 1)))) if H > 1 else 0
    batch_first, reverse = draw(st.booleans()), draw(st.booleans())
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]))
    leading = (B, T) if batch_first else (T, B)
    width = P or H

    def tensor(*shape: int, scale: float = 1.0, last: bool = True) -> Tensor:
        """Random values under random strides; a free last stride only if ``last``."""
        values = scale * torch.randn(*shape, generator=generator)
        return strided(values.to(dtype), float("nan"), last)

    def strided(values: Tensor, between: float, last: bool = True) -> Tensor:
        """The same values under random strides, with ``between`` in the gaps."""
        shape = values.shape
        order = draw(st.permutations(range(len(shape) - (0 if last else 1))))
        order = [*order, *range(len(order), len(shape))]
        padding = [draw(st.integers(0, 2)) for _ in shape]
        step = draw(st.integers(1, 2)) if last else 1
        sizes = [step * (shape[axis] + padding[axis]) for axis in order]
        buffer = torch.full(sizes, between, dtype=values.dtype)
        view = buffer.permute([order.index(axis) for axis in range(len(shape))])
        return view[tuple(slice(0, step * size, step) for size in shape)].copy_(values)

    lengths = None
    if draw(st.booleans()):
        steps = draw(st.lists(st.integers(0, T), min_size=B, max_size=B))
        lengths = strided(torch.tensor(steps, dtype=torch.int64), 2**62)
    cont = None
    if draw(st.booleans()):
        flags = draw(st.lists(st.booleans(), min_size=T * B, max_size=T * B))
        cont = strided(torch.tensor(flags, dtype=torch.bool).view(*leading), draw(st.booleans()))
    return Tensors(
        gates=tensor(*leading, 4 * H, last=False),
        weight_hh=tensor(4 * H, width, scale=width**-0.5),
        weight_hr=tensor(P, H, scale=H**-0.5) if P else None,
        static_gates=tensor(B, 4 * H) if draw(st.booleans()) else None,
        h0=tensor(B, width) if draw(st.booleans()) else None,
        c0=tensor(B, H) if draw(st.booleans()) else None,
        cont=cont,
        lengths=lengths,
        reverse=reverse,
        batch_first=batch_first,
        grad_output=tensor(*leading, width),
        grad_h_n=tensor(B, width),
        grad_c_n=tensor(B, H),
        grad_cells=tensor(*leading, H),
    )


@settings(max_examples=150)
@given(tensors=rows(), threads=st.integers(1, 4))
def test_forward_and_backward(isa: str, tensors: Tensors, threads: int) -> None:
    torch.set_num_threads(threads)
    exact_tensors = tensors.map(Tensor.double)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    exact = reference.lstm_forward(*exact_tensors.forward_arguments(), True, True)
    actual = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    for number, results in enumerate(zip(actual, saved, exact, strict=True)):
        assert_no_worse_than_torch(*results, f"forward {number}", scale=1.0)
    arguments = tensors.backward_arguments(saved[4], saved[3])
    loop = reference.lstm_backward(*arguments)
    exact = reference.lstm_backward(
        *exact_tensors.backward_arguments(saved[4].double(), saved[3].double())
    )
    actual = OPS.lstm_backward(*arguments)
    for number, results in enumerate(zip(actual, loop, exact, strict=True)):
        assert_no_worse_than_torch(*results, f"backward {number}", scale=1.0)
