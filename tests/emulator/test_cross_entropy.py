"""The CUDA kernel of the loss of rows of scores, on the CPU, against the reference."""

import numpy as np
import pytest
import torch

from lrcn_fast import reference
from tests.emulator.arrays import like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops.test_cross_entropy import draw

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# One word; less than a warp; several warps, the last one in part; more words than threads.
SHAPES = ((1, 1), (5, 7), (3, 70), (2, 700))


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("rows, words", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_against_the_reference(dtype: torch.dtype, rows: int, words: int, gradient: bool) -> None:
    logits, targets, scale = draw(rows, words, dtype)
    losses, array = like(scale.dtype, rows), to_numpy(logits.clone())
    emulator().cross_entropy(array, targets.numpy(), to_numpy(scale.view(1)), -1, gradient, losses)
    copies = [logits.clone(), logits.double()]
    loop = reference.cross_entropy(copies[0], targets, scale, -1, gradient)
    exact = reference.cross_entropy(copies[1], targets, scale.double(), -1, gradient)
    assert_no_worse_than_torch(to_torch(losses, scale.dtype), loop, exact, "losses")
    assert_no_worse_than_torch(to_torch(array, dtype), *copies, "logits")


def test_special_scores() -> None:
    """Infinities and NaN, ignored rows that hold anything, and targets that are no words."""
    logits = torch.zeros(6, 40)
    logits[0, 1:] = -torch.inf
    logits[1, 3], logits[2, 3], logits[3] = torch.nan, torch.inf, torch.nan
    targets = np.array([0, 1, 1, -1, 40, -2])
    losses, array, one = like(torch.float32, 6), to_numpy(logits), np.ones(1, np.float32)
    emulator().cross_entropy(array, targets, one, -1, True, losses)
    assert losses[0] == 0 and not array[0].any()
    assert losses[3] == 0 and not array[3].any()
    assert np.isnan(losses[[1, 2, 4, 5]]).all()
    np.testing.assert_allclose(array[4], 1 / 40, rtol=1e-6)


def test_no_rows_launch_nothing() -> None:
    empty = np.zeros((0, 5), np.float32)
    one = np.ones(1, np.float32)
    emulator().cross_entropy(empty, np.zeros(0, np.int64), one, -1, True, like(torch.float32, 0))
