"""The CUDA kernels of a search's step, on the CPU, against the reference."""

import numpy as np
import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.emulator.arrays import like, to_numpy, to_torch
from tests.emulator.module import emulator
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops import test_lstm_step as step
from tests.ops import test_vocabulary_top_k as top_k

OPS = torch.ops.lrcn_fast
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def array(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else to_numpy(tensor)


# A vector in every row and none; more rows than a tile; rows that all begin.
@pytest.mark.parametrize(
    ("rows", "parents", "hidden"), [(1, 1, 1), (19, 5, 16), (5, 3, 7), (40, 9, 24), (3, 0, 5)]
)
@pytest.mark.parametrize("terms", ["", "its"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_step(dtype: torch.dtype, terms: str, rows: int, parents: int, hidden: int) -> None:
    inputs = 8 if terms else None
    arguments = step.draw(rows, parents, hidden, dtype, inputs, bool(terms), bool(terms))
    found = [like(dtype, rows, hidden) for _ in range(2)]
    emulator().lstm_step(*map(array, arguments.values()), *found)
    loop = OPS.lstm_step_reference(**arguments)
    exact = OPS.lstm_step_reference(**step.doubled(arguments))
    for name, ours, *two in zip(("h", "c"), found, loop, exact, strict=True):
        assert_no_worse_than_torch(to_torch(ours, dtype), *two, name)


def run_top_k(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, k: int, forbidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    compute = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    values, words = like(compute, len(hidden), k), np.zeros((len(hidden), k), np.int64)
    emulator().vocabulary_top_k(
        *map(array, (hidden, weight, bias)), k, array(forbidden), values, words
    )
    return torch.from_numpy(values), torch.from_numpy(words)


@pytest.mark.parametrize(
    ("rows", "hidden", "words", "k"),
    [(1, 1, 1, 1), (5, 7, 9, 3), (19, 16, 100, 5), (3, 5, 4, 9), (2, 8, 65, 65), (40, 8, 33, 2)],
)
@pytest.mark.parametrize("forbids", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_top_k(
    dtype: torch.dtype, forbids: bool, rows: int, hidden: int, words: int, k: int
) -> None:
    arguments = top_k.draw(rows, hidden, words, dtype)
    forbidden = torch.rand(words) < 0.4 if forbids else None
    values, found = run_top_k(*arguments, k, forbidden)
    loop, expected = OPS.vocabulary_top_k_reference(*arguments, k, forbidden)
    doubles = [None if value is None else value.double() for value in arguments]
    exact, _ = OPS.vocabulary_top_k_reference(*doubles, k, forbidden)
    assert torch.equal(found, expected)
    missing = found < 0
    assert (values[missing] == -torch.inf).all()
    assert_no_worse_than_torch(values[~missing], loop[~missing], exact[~missing], "log_probs")


def test_special_scores() -> None:
    top_k.check_special_scores(run_top_k)


def test_no_rows_launch_nothing() -> None:
    assert run_top_k(torch.zeros(0, 4), torch.zeros(5, 4), None, 2)[0].shape == (0, 2)
    arguments = step.draw(0, 2, 3)
    emulator().lstm_step(*map(array, arguments.values()), *(like(torch.float32, 0, 3),) * 2)
