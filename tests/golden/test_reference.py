"""The float64 loop reproduces the original Caffe."""

import pytest
from torch import Tensor

from lrcn_fast.reference import lstm
from tests.golden.caffe import WINDOWS, Params, Result
from tests.golden.checks import check_stacked, check_stream, check_window


def run(
    x: Tensor,
    state: tuple[Tensor, Tensor] | None,
    params: Params,
    cont: Tensor,
    static: Tensor | None,
) -> Result:
    output, (h_n, c_n), cells = lstm(x, state, params, cont=cont, static=static, return_cells=True)
    return Result(output, cells, h_n, c_n)


@pytest.mark.parametrize("name", WINDOWS)
def test_window(name: str) -> None:
    check_window(name, run)


def test_stacked() -> None:
    check_stacked(run)


def test_stream() -> None:
    check_stream(run)
