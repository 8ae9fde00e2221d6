"""The loss of rows of scores, and of a vocabulary, under the interpreter."""

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from lrcn_fast.functional import linear_cross_entropy
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_no_worse_than_torch
from tests.ops import test_linear_cross_entropy as whole
from tests.ops.test_cross_entropy import draw

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (0, 4), (7, 33), (2, 2100)], ids=str)
@pytest.mark.parametrize("gradient", [False, True])
def test_against_the_reference(shape: tuple[int, int], gradient: bool, dtype: torch.dtype) -> None:
    logits, targets, scale = draw(*shape, dtype)
    guards = Guards()
    inner = guards.surround(logits)
    with poisoned_memory():
        ours = OPS.cross_entropy_triton(inner, targets, scale, -1, gradient)
    copies = [logits.clone(), logits.double()]
    loop = reference.cross_entropy(copies[0], targets, scale, -1, gradient)
    exact = reference.cross_entropy(copies[1], targets, scale.double(), -1, gradient)
    assert_no_worse_than_torch(ours, loop, exact, "losses")
    assert_no_worse_than_torch(inner.clone(), *copies, "logits")
    inner.copy_(logits)
    guards.check()


def test_special_scores() -> None:
    logits = torch.zeros(6, 40)
    logits[0, 1:] = -torch.inf
    logits[1, 3], logits[2, 3], logits[3] = torch.nan, torch.inf, torch.nan
    targets = torch.tensor([0, 1, 1, -1, 40, -2])
    losses = OPS.cross_entropy_triton(logits, targets, torch.tensor(1.0), -1, True)
    assert losses[0] == 0 and not logits[0].any()
    assert losses[3] == 0 and not logits[3].any()
    assert losses[[1, 2, 4, 5]].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("ignored", [0.0, 0.5, 1.0])
def test_whole_loss(ignored: float, dtype: torch.dtype) -> None:
    whole.test_against_torch(True, ignored, dtype, "triton")


def test_opcheck() -> None:
    whole.test_opcheck("_triton")


@pytest.mark.parametrize(
    ("logits", "targets", "error", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), ValueError, r"'logits' must be \(N, V\)"),
        (torch.zeros(5, 3).t(), torch.zeros(3).long(), ValueError, "'logits' must be .*contiguous"),
        (torch.zeros(3, 5).double(), torch.zeros(3).long(), TypeError, "'logits' must be float32"),
        (torch.zeros(3, 5), torch.zeros(4).long(), ValueError, "'targets' must have shape"),
        (torch.zeros(3, 5), torch.zeros(3), TypeError, "'targets' must have dtype torch.int64"),
    ],
)
def test_bad_arguments(
    logits: torch.Tensor, targets: torch.Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"cross_entropy_triton: argument {message}"):
        OPS.cross_entropy_triton(logits, targets, torch.tensor(1.0), -1, True)


def test_the_backend_is_known() -> None:
    leaves = whole.draw(4, 3, 5, torch.float32)
    targets = whole.draw_targets(4, 5, 0.3)
    assert linear_cross_entropy(*leaves, targets, backend="triton").requires_grad
