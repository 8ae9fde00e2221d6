"""Scores of given captions against the network's forward, caption by caption."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.decoding import beam_search, score, scoring
from tests.decoding import oracle
from tests.decoding.networks import VARIANTS, captioner, images
from tests.helpers.tolerance import assert_equal_to_oracle


def padded(captions: list[list[int]]) -> Tensor:
    width = max(map(len, captions), default=0)
    return torch.tensor([words + [-1] * (width - len(words)) for words in captions]).view(
        len(captions), width
    )


@given(
    variant=st.sampled_from(VARIANTS),
    seed=st.integers(0, 10**6),
    captions=st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=6),
    batch=st.integers(1, 3),
    include_eos=st.booleans(),
    batch_size=st.sampled_from([None, 1, 4]),
)
def test_against_the_forward(
    variant: str,
    seed: int,
    captions: list[list[int]],
    batch: int,
    include_eos: bool,
    batch_size: int | None,
) -> None:
    """Word 0 inside a caption begins a new sentence, as in the network."""
    model, features = captioner(variant, seed=seed), images(variant, batch)
    table = score(
        model, features, padded(captions).long(), include_eos=include_eos, batch_size=batch_size
    )
    rows = [None] if features is None else list(features)
    assert table.shape == (len(captions), len(rows))
    for column, image in enumerate(rows):
        for row, words in enumerate(captions):
            counted = [*words, 0] if include_eos else words
            expected = torch.zeros((), dtype=torch.float64)
            for k, word in enumerate(counted):
                expected += oracle.next_log_probs(model, image, tuple(words[:k]))[word]
            assert_equal_to_oracle(table[row, column], expected, "score")


def test_lengths_rule_over_what_lies_beyond() -> None:
    model, features = captioner("2f"), images("2f")
    captions = torch.tensor([[3, 4, 5, 999], [2, -7, 1, 1]])
    lengths = torch.tensor([3, 1], dtype=torch.int32)
    expected = score(model, features, padded([[3, 4, 5], [2]]))
    assert torch.equal(score(model, features, captions, lengths), expected)


def test_a_search_tells_the_same() -> None:
    model, features = captioner("2f"), images("2f")
    torch.nn.init.constant_(model.predict.bias[:1], 3.0)
    found = beam_search(model, features, 3, 30)
    assert (found.lengths < 30).all()
    captions = found.tokens[:, 0].masked_fill(found.tokens[:, 0] == 0, -1)
    table = score(model, features, captions, include_eos=True)
    assert_equal_to_oracle(table.diagonal(), found.log_probs[:, 0], "score")


def test_the_layer_below_the_image_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        return original(*arguments, **options)

    original = scoring.lstm
    monkeypatch.setattr(scoring, "lstm", counted)
    score(captioner("2f"), images("2f", 5), padded([[1, 2], [3]]))
    assert len(calls) == 1


def test_few_scores_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, features, captions = captioner("2f"), images("2f"), padded([[1, 2, 3], [3], [6, 6]])
    expected = score(model, features, captions)
    monkeypatch.setattr(scoring, "_MOST_SCORES", 15)
    monkeypatch.setattr(scoring, "_MOST_GATES", 100)
    assert_equal_to_oracle(score(model, features, captions), expected, "score")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"captions": torch.zeros(2, 3)}, TypeError, "captions: expected an int64 or int32"),
        ({"captions": torch.tensor([1])}, ValueError, r"captions: expected shape \(K, L\)"),
        ({"captions": torch.tensor([[7]])}, ValueError, r"captions: .* 0\.\.6, got 7\.\.7"),
        ({"lengths": torch.tensor([4, 0])}, ValueError, r"lengths: .*L = 3, got 0\.\.4"),
        ({"lengths": torch.tensor([1])}, ValueError, r"lengths: expected shape \(K,\) = \(2,\)"),
        ({"lengths": torch.tensor([1.0, 2.0])}, TypeError, "lengths: expected an int64 or int32"),
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1"),
    ],
)
def test_bad_input(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {"images": images("2f"), "captions": torch.tensor([[1, 2, 3], [4, 5, 6]])}
    with pytest.raises(error, match=message):
        score(captioner("2f"), **{**arguments, **change})  # type: ignore[arg-type]


def test_nothing_to_score() -> None:
    model, empty = captioner("2f"), torch.empty(0, 4, dtype=torch.int64)
    assert score(model, images("2f"), empty).shape == (0, 3)
    assert score(model, images("2f", 0), torch.ones(2, 4).long()).shape == (2, 0)
