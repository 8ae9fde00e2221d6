"""The loss of rows of scores and its gradient in their place, native against its definition."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OP = torch.ops.lrcn_fast.cross_entropy
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SHAPES = [(1, 1), (3, 5), (0, 4), (7, 33), (5, 64), (2, 8801)]


def draw(rows: int, words: int, dtype: torch.dtype, ignored: float = 0.3) -> list[Tensor]:
    """Logits, targets and scale."""
    logits = (4 * torch.randn(rows, words, dtype=torch.float64)).to(dtype)
    targets = torch.randint(0, words, (rows,))
    targets = targets.masked_fill(torch.rand(rows) < ignored, -1)
    compute = torch.float64 if dtype == torch.float64 else torch.float32
    return [logits, targets, torch.tensor(0.37, dtype=compute)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("gradient", [False, True])
def test_against_the_reference(
    shape: tuple[int, int], gradient: bool, dtype: torch.dtype, isa: str
) -> None:
    logits, targets, scale = draw(*shape, dtype)
    copies = [logits.clone(), logits.clone(), logits.double()]
    ours = OP(copies[0], targets, scale, -1, gradient)
    loop = reference.cross_entropy(copies[1], targets, scale, -1, gradient)
    exact = reference.cross_entropy(copies[2], targets, scale.double(), -1, gradient)
    assert_no_worse_than_torch(ours, loop, exact, "losses")
    if gradient:
        assert_no_worse_than_torch(*copies, "gradient")
    else:
        assert_bitwise_equal(copies[0], logits, "logits")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_memory_and_threads(dtype: torch.dtype, isa: str) -> None:
    logits, targets, scale = draw(37, 19, dtype)
    expected = logits.clone()
    losses = OP(expected, targets, scale, -1, True)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        guards = Guards()
        inner = guards.surround(logits)
        with poisoned_memory():
            found = OP(inner, targets, scale, -1, True)
        assert_bitwise_equal(found, losses, "losses")
        assert_bitwise_equal(inner, expected, "gradient")
        inner.copy_(logits)
        guards.check()


def test_large_scores(isa: str) -> None:
    logits = torch.tensor([[1e30, -1e30, 3.0], [-1e4, -1e4, -1e4], [5.0, -torch.inf, 5.0]])
    copy = logits.clone()
    losses = OP(copy, torch.tensor([0, 1, 2]), torch.tensor(1.0), -1, True)
    third, half = 1 / 3, 1 / 2
    expected = [[0, 0, 0], [third, third - 1, third], [half, 0, half - 1]]
    torch.testing.assert_close(copy, torch.tensor(expected))
    torch.testing.assert_close(losses, torch.tensor([0.0, 3, 2]).clamp(min=1).log())


def test_what_is_ignored_may_be_anything(isa: str) -> None:
    logits = torch.full((2, 40), torch.nan)
    losses = OP(logits, torch.tensor([7, 7]), torch.tensor(1.0), 7, True)
    assert not losses.any() and not logits.any()


def test_a_nan_and_a_wrong_target_show(isa: str) -> None:
    logits = torch.zeros(4, 40)
    logits[0, 3], logits[1, 3] = torch.nan, torch.inf
    losses = OP(logits, torch.tensor([1, 1, 40, -2]), torch.tensor(1.0), -1, True)
    assert losses.isnan().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: torch.zeros(3)}, r"argument 'logits' must have 2 dimensions \(N, V\)"),
        ({0: torch.zeros(5, 3).t()}, "argument 'logits' must be contiguous"),
        ({0: torch.zeros(3, 0)}, "argument 'logits' must have at least one word"),
        ({0: torch.zeros(3, 5).long()}, "argument 'logits' must be float32"),
        ({1: torch.zeros(4).long()}, r"argument 'targets' must have shape \(N,\) = \(3,\)"),
        ({1: torch.zeros(3).int()}, "argument 'targets' must have dtype int64"),
        ({2: torch.ones(1)}, "argument 'scale' must have shape"),
        ({2: torch.tensor(1.0).double()}, "argument 'scale' must have dtype float32"),
    ],
)
def test_bad_arguments(change: dict[int, Tensor], message: str) -> None:
    arguments = dict(enumerate([torch.zeros(3, 5), torch.zeros(3).long(), torch.tensor(1.0)]))
    with pytest.raises(RuntimeError, match=f"lrcn_fast::cross_entropy: {message}"):
        OP(*{**arguments, **change}.values(), -1, True)
