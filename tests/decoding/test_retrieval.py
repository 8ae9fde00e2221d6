"""The paper's normalised score, and retrieval with it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.decoding import normalised, score
from lrcn_fast.metrics import image_ranks
from tests.decoding.networks import captioner, images
from tests.helpers.tolerance import assert_equal_to_oracle


@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 10**6))
def test_normalised(captions: int, images: int, seed: int) -> None:
    torch.manual_seed(seed)
    scores = -1000 * torch.rand(captions, images, dtype=torch.float64)
    # The mean of what exp would round to zero.
    largest = scores.amax(1, keepdim=True)
    mean = (scores - largest).exp().mean(1, keepdim=True).log() + largest
    assert_equal_to_oracle(normalised(scores), scores - mean, "normalised")


def test_what_any_image_makes_likely_does_not_win() -> None:
    """The caption's own share counts, not how probable it is."""
    scores = torch.tensor([[-1.0, -1.1], [-9.0, -5.0]], dtype=torch.float64)
    assert scores.argmax(0).tolist() == [0, 0]
    assert normalised(scores).argmax(0).tolist() == [0, 1]


def test_ranks_of_a_captioner() -> None:
    model, features = captioner("2f"), images("2f", 4)
    captions = torch.randint(1, 7, (6, 5))
    image_of = torch.tensor([0, 1, 2, 3, 0, 1])
    ranks = image_ranks(normalised(score(model, features, captions)), image_of)
    assert ranks.shape == (6,) and (ranks >= 0).all() and (ranks < 4).all()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.zeros(3), r"scores: .* \(K, B\), got .*\(3,\)"),
        (torch.zeros(2, 3).long(), "scores: expected a floating tensor"),
        (torch.zeros(3, 0), "scores: expected at least one image"),
    ],
)
def test_bad_scores(scores: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalised(scores)
