"""The per-step loss and the clip's probabilities ignore padding and refuse what makes no sense."""

import pytest
import torch
from torch.nn import functional as F

from lrcn_fast.models import clip_probabilities, step_loss
from tests.helpers.tolerance import assert_equal_to_oracle

SCORES = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([2, 0, 3])
LENGTHS = torch.tensor([5, 2, 3])


def test_loss_is_the_mean_over_steps() -> None:
    expected = torch.stack([F.cross_entropy(step, LABELS) for step in SCORES]).mean()
    assert_equal_to_oracle(step_loss(SCORES, LABELS), expected, "loss")
    labels = LABELS.expand(5, 3).clone()
    assert_equal_to_oracle(step_loss(SCORES, labels), expected, "loss with labels of the steps")
    labels[0, 0] = 1
    assert step_loss(SCORES, labels) != step_loss(SCORES, LABELS)


def test_loss_and_gradient_ignore_padding() -> None:
    losses = [
        F.cross_entropy(SCORES[:length, row], LABELS[row].expand(length), reduction="sum")
        for row, length in enumerate(LENGTHS.tolist())
    ]
    padded = SCORES.clone()
    padded[2:, 1] = float("nan")
    padded.requires_grad_()
    loss = step_loss(padded, LABELS, LENGTHS)
    assert_equal_to_oracle(loss, torch.stack(losses).sum() / 10, "loss")
    loss.backward()
    assert padded.grad is not None
    assert not padded.grad[2:, 1].any()
    assert padded.grad[:2, 1].all()


def test_labels_in_the_padding_are_not_read() -> None:
    labels = LABELS.expand(5, 3).clone()
    labels[2:, 1] = -1
    assert step_loss(SCORES, labels, LENGTHS) == step_loss(SCORES, LABELS, LENGTHS)


def test_nothing_valid() -> None:
    assert step_loss(SCORES, LABELS, torch.zeros(3, dtype=torch.int64)) == 0


def test_probabilities_are_the_mean_over_valid_steps() -> None:
    padded = SCORES.clone()
    padded[2:, 1] = float("nan")
    probabilities = clip_probabilities(padded, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        expected = SCORES[:length, row].softmax(-1).mean(0)
        assert_equal_to_oracle(probabilities[row], expected, f"row {row}")
    assert not clip_probabilities(SCORES, torch.tensor([0, 1, 2]))[0].any()


@pytest.mark.parametrize(
    ("labels", "lengths", "error", "message"),
    [
        (LABELS.float(), None, TypeError, "labels: expected an int64 tensor, got torch.float32"),
        (LABELS[:2], None, ValueError, r"labels: expected shape \(3,\) or \(5, 3\), got \(2,\)"),
        (torch.tensor([0, 4, 1]), None, ValueError, "labels: expected 0 to 3, .* from 0 to 4"),
        (torch.tensor([0, -1, 1]), None, ValueError, "from -1 to 1"),
        (LABELS, torch.tensor([1, 2]), ValueError, r"lengths: expected an integer tensor \(3,\)"),
        (LABELS, torch.tensor([1.0, 2, 3]), ValueError, "lengths: .* torch.float32"),
    ],
)
def test_bad_arguments(
    labels: torch.Tensor, lengths: torch.Tensor | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        step_loss(SCORES, labels, lengths)


def test_bad_scores() -> None:
    with pytest.raises(ValueError, match=r"scores: expected .*, got \(3, 4\)"):
        step_loss(SCORES[0], LABELS)
