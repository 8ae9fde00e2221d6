"""Samples: their probabilities, their distribution, and which of them is returned."""

import pytest
import torch

from lrcn_fast.decoding import greedy, sample, score
from tests.decoding import oracle
from tests.decoding.networks import VARIANTS, captioner, images
from tests.helpers.tolerance import assert_equal_to_oracle


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_values_are_those_at_temperature_1(variant: str, temperature: float) -> None:
    model, features = captioner(variant), images(variant)
    found = sample(model, features, 20, temperature, 6, n_best=20, word_log_probs=True)
    assert found.word_log_probs is not None
    assert_equal_to_oracle(found.word_log_probs.sum(2), found.log_probs, "sum")
    assert (found.log_probs.diff(dim=1) <= 0).all()
    for row, image in enumerate([None] if features is None else features):
        for words, length, values in zip(
            found.tokens[row], found.lengths[row], found.word_log_probs[row], strict=True
        ):
            sentence = words[:length].tolist()
            assert 0 not in sentence[:-1] and (sentence[-1] == 0 or length == 6)
            assert (words[length:] == -1).all() and not values[length:].any()
            expected = [
                oracle.next_log_probs(model, image, tuple(sentence[:k]))[word]
                for k, word in enumerate(sentence)
            ]
            assert_equal_to_oracle(values[:length], torch.stack(expected), "words")


def test_infinity_takes_the_most_probable_word() -> None:
    model, features = captioner("2f"), images("2f")
    found = sample(model, features, 3, float("inf"), 9, n_best=3)
    expected = greedy(model, features, 9)
    assert torch.equal(found.tokens, expected.tokens.expand(3, 3, 9))
    assert_equal_to_oracle(found.log_probs, expected.log_probs.expand(3, 3), "total")


@pytest.mark.parametrize("temperature", [0.7, 2.0])
def test_sentences_come_as_often_as_they_should(temperature: float) -> None:
    """Chi-square over all sentences of up to two words."""
    model, features = captioner("2f", vocabulary_size=3), images("2f", batch=1)
    assert features is not None
    count = 20_000
    found = sample(model, features, count, temperature, 2, n_best=count)
    drawn = [tuple(word for word in words if word >= 0) for words in found.tokens[0].tolist()]
    statistic = 0.0
    sentences = oracle.all_sentences(model, features[0], 2)
    for sentence in sentences:
        probability = 1.0
        for k, word in enumerate(sentence.words):
            values = oracle.next_log_probs(model, features[0], sentence.words[:k])
            probability *= float((temperature * values).softmax(0)[word])
        expected = count * probability
        statistic += (drawn.count(sentence.words) - expected) ** 2 / expected
    # 6 degrees of freedom: above 22.5 in one of a thousand, and the seed is fixed.
    assert len(sentences) == 7
    assert statistic < 22.5


def test_options() -> None:
    model, features = captioner("2f"), images("2f")
    found = sample(model, features, 30, 0.5, 5, n_best=30, min_length=2, forbidden=[3])
    assert (found.tokens[:, :, :2] > 0).all() and not (found.tokens == 3).any()
    generators = [torch.Generator().manual_seed(4) for _ in range(2)]
    first, second = (sample(model, features, 5, generator=each) for each in generators)
    assert torch.equal(first.tokens, second.tokens)


def test_pieces_do_not_mix_images() -> None:
    model, features = captioner("2f"), images("2f", batch=5)
    assert features is not None
    for batch_size in (None, 1, 2):
        found = sample(model, features, 4, 1.0, 6, batch_size=batch_size)
        captions = found.tokens[:, 0].masked_fill(found.tokens[:, 0] == 0, -1)
        ended = (found.tokens[:, 0] == 0).any(1)
        values = [score(model, features, captions, include_eos=end).diagonal() for end in (0, 1)]
        expected = torch.where(ended, values[1], values[0])
        assert_equal_to_oracle(found.log_probs[:, 0], expected, "total")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 0}, "num_samples: expected an integer of at least 1"),
        ({"n_best": 101}, "n_best: expected at most num_samples = 100, got 101"),
        ({"temperature": 0.0}, "temperature: expected a number above 0, got 0.0"),
        ({"temperature": float("nan")}, "temperature: expected a number above 0, got nan"),
    ],
)
def test_bad_options(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(captioner("2f"), images("2f"), **change)  # type: ignore[arg-type]
