"""Ranks, recall and median rank: against sorting, and where scores are equal."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.metrics import caption_ranks, image_ranks, median_rank, recall

FIVE = torch.arange(4).repeat_interleave(5)


@given(st.integers(0, 10_000))
def test_ranks_are_places_in_the_sorted_order(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(20, 4, dtype=torch.float64, generator=generator)
    for caption, rank in enumerate(image_ranks(scores, FIVE).tolist()):
        assert scores[caption].argsort(descending=True)[rank] == FIVE[caption]
    for image, rank in enumerate(caption_ranks(scores, FIVE).tolist()):
        order = FIVE[scores[:, image].argsort(descending=True)].tolist()
        assert order.index(image) == rank


def test_any_of_five_will_do() -> None:
    scores = torch.zeros(20, 4)
    scores[[4, 5, 13, 19], [0, 1, 2, 3]] = 1
    assert caption_ranks(scores, FIVE).tolist() == [0, 0, 0, 0]
    assert recall(caption_ranks(scores, FIVE), 1) == 1


def test_equal_scores_count_against_the_right_answer() -> None:
    scores = torch.zeros(20, 4)
    assert image_ranks(scores, FIVE).tolist() == [3] * 20
    assert caption_ranks(scores, FIVE).tolist() == [15] * 4


def test_infinite_scores() -> None:
    scores = torch.full((4, 4), -torch.inf).fill_diagonal_(0)
    own = torch.arange(4)
    assert image_ranks(scores, own).tolist() == caption_ranks(scores, own).tolist() == [0] * 4


def test_recall_and_median() -> None:
    ranks = torch.tensor([0, 0, 3, 9, 10])
    assert [recall(ranks, k) for k in (1, 5, 10, 50)] == [0.4, 0.6, 0.8, 1.0]
    assert median_rank(ranks) == 4
    assert median_rank(ranks[:4]) == 2.5
    assert median_rank(torch.zeros(3, dtype=torch.int64)) == 1


@pytest.mark.parametrize(
    ("scores", "images", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), "scores: expected"),
        (torch.zeros(3, 2).long(), torch.zeros(3).long(), "scores: expected .*int64"),
        (torch.zeros(3, 2), torch.zeros(2).long(), r"images: expected \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(3), "images: expected .*float32"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), "images: expected 0 to 1"),
        (torch.zeros(3, 2), torch.tensor([0, 1, -1]), "images: expected 0 to 1"),
        (torch.full((3, 2), torch.nan), torch.tensor([0, 1, 1]), "scores: expected numbers"),
    ],
)
def test_bad_scores(scores: Tensor, images: Tensor, message: str) -> None:
    for ranks in (image_ranks, caption_ranks):
        with pytest.raises(ValueError, match=message):
            ranks(scores, images)


def test_an_image_without_caption() -> None:
    with pytest.raises(ValueError, match="captions of every image, got none of 1"):
        caption_ranks(torch.zeros(2, 3), torch.tensor([0, 2]))


def test_bad_ranks() -> None:
    with pytest.raises(ValueError, match="k and ranks"):
        recall(torch.zeros(3), 0)
    with pytest.raises(ValueError, match="k and ranks"):
        recall(torch.zeros(0), 1)
    with pytest.raises(ValueError, match="ranks"):
        median_rank(torch.zeros(0))
