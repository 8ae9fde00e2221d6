"""The native kernels and the module reproduce the original Caffe in float64."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

import lrcn_fast
from lrcn_fast import functional
from tests.golden.caffe import WINDOWS, Params, Result
from tests.golden.checks import check_stacked, check_stream, check_window


def run_function(
    x: Tensor,
    state: tuple[Tensor, Tensor] | None,
    params: Params,
    cont: Tensor,
    static: Tensor | None,
) -> Result:
    output, (h_n, c_n), cells = functional.lstm(
        x, state, params, cont=cont, static=static, return_cells=True, backend="native"
    )
    return Result(output, cells, h_n, c_n)


def run_module(
    x: Tensor,
    state: tuple[Tensor, Tensor] | None,
    params: Params,
    cont: Tensor,
    static: Tensor | None,
) -> Result:
    features, hidden = params[0].shape[1], params[1].shape[1]
    static_size = 0 if static is None else static.shape[1]
    module = lrcn_fast.LSTM(features, hidden, static_size=static_size, dtype=torch.float64)
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_is_l0"]
    named = dict(zip(names, params, strict=False))
    assert set(named) == {name for name, _ in module.named_parameters()}
    output, (h_n, c_n), cells = functional_call(
        module, named, (x, state), {"cont": cont, "static": static, "return_cells": True}
    )
    return Result(output, cells, h_n, c_n)


@pytest.mark.parametrize("name", WINDOWS)
def test_window(name: str, isa: str) -> None:
    check_window(name, run_function)


@pytest.mark.parametrize("name", WINDOWS)
def test_window_through_the_module(name: str) -> None:
    check_window(name, run_module)


def test_stacked(isa: str) -> None:
    check_stacked(run_function)


def test_stacked_through_the_module() -> None:
    check_stacked(run_module)


def test_stream(isa: str) -> None:
    check_stream(run_function)


def test_stream_through_the_module() -> None:
    check_stream(run_module)
