"""Beam search against the original's own search and against trying every sentence."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.decoding import Captions, beam_search, greedy
from lrcn_fast.models import Captioner
from tests.decoding import oracle
from tests.decoding.networks import VARIANTS, captioner, images
from tests.helpers.tolerance import assert_equal_to_oracle


def check(found: Captions, row: int, expected: list[oracle.Sentence]) -> None:
    """The sentences of one image: words, lengths, totals and the value of each word."""
    n_best, max_length = found.tokens.shape[1:]
    assert found.word_log_probs is not None
    for rank in range(n_best):
        words, values = expected[rank] if rank < len(expected) else ((), ())
        length = len(words)
        tokens = found.tokens[row, rank].tolist()
        assert tokens == [*words, *[-1] * (max_length - length)], (row, rank, expected)
        assert int(found.lengths[row, rank]) == length
        wanted = torch.tensor([*values, *[0.0] * (max_length - length)], dtype=torch.float64)
        assert_equal_to_oracle(found.word_log_probs[row, rank], wanted, "words")
        total = wanted.sum() if length else torch.tensor(-torch.inf, dtype=torch.float64)
        torch.testing.assert_close(found.log_probs[row, rank], total, rtol=0, atol=1e-10)


def each_image(features: Tensor | None) -> list[Tensor | None]:
    return [None] if features is None else list(features)


@given(
    variant=st.sampled_from(VARIANTS),
    seed=st.integers(0, 10**6),
    beam_size=st.integers(1, 6),
    max_length=st.integers(1, 6),
    length_penalty=st.sampled_from([0.0, 0.7, 2.0]),
    forbidden=st.sampled_from([(), (3,), (0,), (1, 2, 4)]),
    min_length=st.integers(0, 3),
)
def test_against_the_original(
    variant: str,
    seed: int,
    beam_size: int,
    max_length: int,
    length_penalty: float,
    forbidden: tuple[int, ...],
    min_length: int,
) -> None:
    model, features = captioner(variant, seed=seed), images(variant)
    min_length = min(min_length, max_length)
    found = beam_search(
        model,
        features,
        beam_size,
        max_length,
        length_penalty=length_penalty,
        n_best=beam_size,
        min_length=min_length,
        forbidden=forbidden,
        word_log_probs=True,
    )
    for row, image in enumerate(each_image(features)):
        expected = oracle.beam_search(
            model, image, beam_size, max_length, length_penalty, forbidden, min_length
        )
        check(found, row, expected)


@given(
    variant=st.sampled_from(VARIANTS),
    seed=st.integers(0, 10**6),
    size=st.integers(2, 3),
    max_length=st.integers(1, 3),
    forbidden=st.sampled_from([(), (1,)]),
)
def test_a_wide_beam_finds_every_sentence(
    variant: str, seed: int, size: int, max_length: int, forbidden: tuple[int, ...]
) -> None:
    model, features = captioner(variant, size, seed), images(variant)
    found = beam_search(
        model, features, 40, max_length, n_best=40, forbidden=forbidden, word_log_probs=True
    )
    for row, image in enumerate(each_image(features)):
        everything = oracle.all_sentences(model, image, max_length, forbidden)
        assert len(everything) <= 40
        check(found, row, sorted(everything, key=lambda sentence: -sentence.total))


def test_equal_words_go_by_their_number() -> None:
    model = captioner("2f")
    with torch.no_grad():
        for parameter in (model.predict.weight, model.predict.bias):
            parameter.zero_()
    found = beam_search(model, images("2f"), 4, 2, n_best=4)
    # The end is word 0, and every further word costs as much again.
    assert found.tokens[0].tolist() == [[0, -1], [1, 0], [1, 1], [1, 2]]
    assert torch.equal(found.tokens, found.tokens[:1].expand_as(found.tokens))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_it_ends_whatever_the_weights_are(bad: float) -> None:
    model = captioner("2f")
    with torch.no_grad():
        model.predict.bias[2:].fill_(bad)
    found = beam_search(model, images("2f"), 3, 5)
    assert found.tokens.shape == (3, 1, 5)
    assert (found.lengths > 0).all()


def test_a_sentence_without_end_is_cut() -> None:
    model = captioner("2f")
    found = beam_search(model, images("2f"), 3, 50, forbidden=[0])
    assert (found.lengths == 50).all() and (found.tokens > 0).all()


def test_no_images() -> None:
    found = beam_search(captioner("2f"), images("2f", 0), 3, 5, n_best=2, word_log_probs=True)
    assert found.tokens.shape == (0, 2, 5) and found.log_probs.shape == (0, 2)


def test_nothing_of_the_caller_changes() -> None:
    model, features = captioner("2f"), images("2f")
    model.predict.eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = beam_search(model, features)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled()
    assert not found.log_probs.requires_grad


def test_dropout_and_autocast_do_not_act() -> None:
    model = Captioner(7, "2f", 5, 6, 3, filler=1.5, dropout=0.5)
    model.encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5))
    pixels = torch.randn(3, 3, 1, 1)
    expected = greedy(model, pixels.flatten(1)).log_probs
    assert torch.equal(greedy(model, pixels).log_probs, expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(greedy(model, pixels).log_probs, expected)


def test_it_sees_new_weights() -> None:
    model, features = captioner("2f"), images("2f")
    for change in (
        model.embedding.weight,
        model.layers[0].weight_ih_l0,
        model.layers[1].bias_ih_l0,
    ):
        before = greedy(model, features).log_probs
        with torch.no_grad():
            change.mul_(-1).add_(1)
        after = greedy(model, features).log_probs
        assert not torch.equal(before, after)
        check_greedy(model, features, after)
    model.float()
    assert greedy(model, features.float()).log_probs.dtype == torch.float32


def check_greedy(model: Captioner, features: Tensor, log_probs: Tensor) -> None:
    for image, value in zip(features, log_probs):
        expected = oracle.beam_search(model, image, 1, 50)[0].total
        assert float(value) == pytest.approx(expected, abs=1e-10)


def test_a_vocabulary_of_100_000_words() -> None:
    model = Captioner(100_000, "2f", 4, 4, 3, filler=0.5)
    features = torch.randn(2, 3)
    found = beam_search(model, features, 3, 4, n_best=3)
    assert found.tokens.max() < 100_000
    for row in range(2):
        expected = oracle.beam_search(model, features[row], 3, 4)
        assert found.tokens[row, 0].tolist()[: len(expected[0].words)] == list(expected[0].words)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"captioner": torch.nn.Linear(2, 2)}, TypeError, "captioner: expected a Captioner"),
        ({"beam_size": 0}, ValueError, "beam_size: expected an integer of at least 1, got int 0"),
        ({"beam_size": 2.0}, ValueError, "beam_size: .* float 2.0"),
        ({"max_length": 0}, ValueError, "max_length: expected an integer of at least 1"),
        ({"n_best": 6}, ValueError, "n_best: expected at most beam_size = 5, got 6"),
        ({"length_penalty": -1.0}, ValueError, "length_penalty: .* got -1.0"),
        ({"min_length": 51}, ValueError, "min_length: expected at most max_length = 50, got 51"),
        ({"forbidden": [7]}, ValueError, r"forbidden: expected words within 0\.\.6, got int 7"),
        ({"forbidden": range(7)}, ValueError, "forbidden: .* left none"),
        ({"forbidden": range(1, 7), "min_length": 1}, ValueError, "forbidden: .* left none"),
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1"),
        ({"images": torch.zeros(2, 4).double()}, ValueError, r"image: expected shape \(B, S\)"),
        ({"images": None}, ValueError, "image: expected features"),
    ],
)
def test_bad_options(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {"captioner": captioner("2f"), "images": images("2f"), **change}
    with pytest.raises(error, match=message):
        beam_search(**arguments)  # type: ignore[arg-type]
