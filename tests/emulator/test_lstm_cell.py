"""The CUDA kernels of the LSTM cell, on the CPU, against the reference."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lrcn_fast.reference.lstm_cell import lstm_cell_backward, lstm_cell_forward
from tests.emulator.arrays import like, rows, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.tolerance import assert_no_worse_than_torch

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# One unit; less than a warp; more than a block in units; more rows than a block takes at once.
SHAPES = ((1, 1), (5, 7), (2, 300), (19, 33))


def random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).to(dtype)


def check(actual: np.ndarray, dtype: torch.dtype, expected: Tensor, exact: Tensor, name: str):
    assert_no_worse_than_torch(to_torch(actual, dtype), expected, exact, name)


@pytest.mark.parametrize("has_c0", [True, False])
@pytest.mark.parametrize("batch, hidden", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_forward(dtype: torch.dtype, batch: int, hidden: int, has_c0: bool) -> None:
    gates = 3 * random(batch, 4 * hidden, dtype=dtype)
    c0 = random(batch, hidden, dtype=dtype) if has_c0 else None
    outputs = [like(dtype, batch, n) for n in (hidden, hidden, 4 * hidden)]
    emulator().lstm_cell_forward(rows(gates), None if c0 is None else rows(c0), *outputs)

    expected = lstm_cell_forward(gates, c0)
    exact = lstm_cell_forward(gates.double(), None if c0 is None else c0.double())
    for name, *values in zip(("h", "c", "activations"), outputs, expected, exact, strict=True):
        check(values[0], dtype, *values[1:], name)


@pytest.mark.parametrize("missing", [(), ("grad_h",), ("grad_c", "c0")])
@pytest.mark.parametrize("batch, hidden", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_backward(dtype: torch.dtype, batch: int, hidden: int, missing: tuple[str, ...]) -> None:
    inputs: dict[str, Tensor | None] = {
        "grad_h": random(batch, hidden, dtype=dtype),
        "grad_c": random(batch, hidden, dtype=dtype),
        "activations": torch.rand(batch, 4 * hidden, dtype=torch.float64).to(dtype),
        "c": random(batch, hidden, dtype=dtype),
        "c0": random(batch, hidden, dtype=dtype),
    }
    inputs |= dict.fromkeys(missing)
    outputs = [like(dtype, batch, n) for n in (4 * hidden, hidden)]
    arrays = [None if value is None else rows(value) for value in inputs.values()]
    emulator().lstm_cell_backward(*arrays, *outputs)

    expected = lstm_cell_backward(**inputs)
    doubles = {name: None if v is None else v.double() for name, v in inputs.items()}
    exact = lstm_cell_backward(**doubles)
    for name, *values in zip(("grad_gates", "grad_c0"), outputs, expected, exact, strict=True):
        check(values[0], dtype, *values[1:], name)


def test_an_output_that_is_too_small_is_found() -> None:
    h, c, activations = (np.zeros((4, n), np.float32) for n in (8, 8, 32))
    gates = to_numpy(torch.zeros(3, 32))
    with pytest.raises(RuntimeError, match="out of bounds: global load .* buffer 'gates'"):
        emulator().lstm_cell_forward(gates, None, h, c, activations)


def test_an_empty_batch_launches_nothing() -> None:
    h, c, activations = (np.zeros((0, n), np.float32) for n in (8, 8, 32))
    emulator().lstm_cell_forward(np.zeros((0, 32), np.float32), None, h, c, activations)
