"""Hypothesis over sizes, options, formats, strides and threads: native is the definition."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.reference.relu_max_pool_lrn import Options
from tests.helpers.maps import FORMATS, MapCase, build, check, operators, run

NATIVE = operators("")


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor, Options]:
    """Any small problem, now and then one of many channels or columns."""
    kernel = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    stride = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    if draw(st.booleans()):
        kernel, stride = draw(
            st.sampled_from([((3, 3), (2, 2)), ((2, 2), (2, 2)), ((1, 1), (1, 1))])
        )
    ceil_mode = draw(st.booleans())
    height, width = (
        draw(st.integers(size, size + draw(st.sampled_from([3, 9, 40])))) for size in kernel
    )
    channels = draw(st.one_of(st.integers(1, 9), st.integers(10, 70)))
    case = MapCase(
        f"{draw(st.integers(0, 2**31))}",
        (draw(st.integers(0, 3)), channels, height, width),
        kernel,
        stride,
        relu=draw(st.booleans()),
        ceil_mode=ceil_mode,
        lrn_size=draw(st.sampled_from([0, 1, 3, 5, 5, 9, 2 * channels + 1])),
        alpha=draw(st.sampled_from([1e-4, 0.3, 2.0])),
        beta=draw(st.sampled_from([0.75, 0.75, 0.5, 1.0])),
        k=draw(st.sampled_from([1.0, 2.0])),
    )
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]))
    x, grad, options = build(case, dtype, draw(st.sampled_from(FORMATS)), draw(st.booleans()))
    if draw(st.booleans()):
        grad = grad.contiguous(memory_format=draw(st.sampled_from(FORMATS)))
    return x, grad, options


@settings(max_examples=150)
@given(problem=problems(), threads=st.sampled_from([1, 1, 2, 3]))
def test_native_is_the_definition(
    problem: tuple[Tensor, Tensor, Options], threads: int, isa: str
) -> None:
    x, grad, options = problem
    torch.set_num_threads(threads)
    check(run(NATIVE, x, grad, options), x, grad, options)
