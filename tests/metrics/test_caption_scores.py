"""Caption scores against pycocoevalcap's frozen ones, by hand, and by their properties."""

import json
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast.metrics import bleu, caption_scores, cider_d, rouge_l, scored_words
from tests.helpers.tolerance import SCORES, assert_equal_to_oracle
from tests.metrics.freeze import FROZEN, candidates

frozen = json.loads(FROZEN.read_text())
words = st.lists(st.sampled_from("a dog cat sits on the grass".split()), max_size=9)
captions = st.lists(words.filter(bool), min_size=1, max_size=4)
corpora = st.lists(st.tuples(words, captions), min_size=1, max_size=6)
Corpus = list[tuple[list[str], list[list[str]]]]


def close(actual: list[float], expected: list[float]) -> None:
    actual_tensor = torch.tensor(actual, dtype=torch.float64)
    expected_tensor = torch.tensor(expected, dtype=torch.float64)
    assert_equal_to_oracle(actual_tensor, expected_tensor, "score", SCORES)


@pytest.mark.parametrize("name", frozen["scores"])
def test_scores_of_pycocoevalcap(name: str) -> None:
    scores = caption_scores(frozen["candidates"][name], frozen["references"])
    expected = frozen["scores"][name]
    assert list(scores) == list(expected)
    close(list(scores.values()), list(expected.values()))


@pytest.mark.parametrize("text", frozen["tokens"])
def test_words_of_the_treebank_tokenizer(text: str) -> None:
    assert scored_words(text) == frozen["tokens"][text]


def test_frozen_candidates_are_those_of_the_command() -> None:
    whole = [
        [*texts, fifth]
        for texts, fifth in zip(frozen["references"], frozen["candidates"]["another caption"])
    ]
    assert candidates(whole) == frozen["candidates"]


def test_bleu_by_hand() -> None:
    # Of the seven "the", the reference with most has two (Papineni et al., table 1).
    said = ["the"] * 7
    written = ["the cat is on the mat".split(), "there is a cat on the mat".split()]
    close(bleu([said], [written]), [2 / 7, 0, 0, 0])
    # Brevity: of lengths 2 and 4, both one away from 3, the shorter counts.
    said, written = ["a", "b", "c"], [["a", "b"], ["a", "b", "c", "d"]]
    close(bleu([said], [written]), [1, 1, 1, 0])
    said, written = ["a", "b"], [["a", "b", "c", "d"]]
    close(bleu([said], [written])[:2], [math.exp(-1), math.exp(-1)])


def test_rouge_by_hand() -> None:
    # The common subsequence "police the gunman" of 4 and 5 words.
    said, written = "police ended the gunman".split(), "police killed the gunman today".split()
    precision, recall = 3 / 4, 3 / 5
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    close([rouge_l([said], [[written]])], [expected])


def test_cider_by_hand() -> None:
    # Each image's words are its own, so all weights are log 2 and count alike.
    said = [["a", "b"], ["x", "y"]]
    written = [[["a", "b"]], [["x", "z"]]]
    # Image 1: one unigram and one bigram cosine of 1. Image 2: unigrams x of x, z give 1/2,
    # because the norm of the candidate counts y too, which no reference has.
    close([cider_d(said, written)], [10 * (2 / 4 + 0.5 / 4) / 2])
    # A bigram more costs exp(-1 / 72), and the candidate's norms grow.
    longer = cider_d([["a", "b", "q"], ["x", "y"]], written)
    penalty = math.exp(-1 / 72)
    first = penalty * (2 / (math.sqrt(2) * math.sqrt(3)) + 1 / math.sqrt(2)) / 4
    close([longer], [10 * (first + 0.5 / 4) / 2])


def test_cider_of_one_image_weighs_nothing() -> None:
    assert cider_d([["a", "dog"]], [[["a", "dog"]]]) == 0


@given(corpora)
def test_ranges_and_order_of_references(corpus: Corpus) -> None:
    said, written = [list(part) for part in zip(*corpus)]
    turned = [captions[::-1] for captions in written]
    scores = bleu(said, written)
    assert all(0 <= score <= 1 for score in scores)
    assert scores == bleu(said, turned)
    assert 0 <= rouge_l(said, written) <= 1 + SCORES
    close([rouge_l(said, written)], [rouge_l(said, turned)])
    assert 0 <= cider_d(said, written) <= 10 + SCORES
    close([cider_d(said, written)], [cider_d(said, turned)])


@given(corpora)
def test_the_order_of_images_does_not_matter(corpus: Corpus) -> None:
    said, written = [list(part) for part in zip(*corpus)]
    for score in (rouge_l, cider_d):
        close([score(said, written)], [score(said[::-1], written[::-1])])
    assert bleu(said, written) == bleu(said[::-1], written[::-1])


@given(st.lists(captions, min_size=1, max_size=6))
def test_a_reference_scores_best(written: list[list[list[str]]]) -> None:
    said = [captions[0] for captions in written]
    close(bleu(said, written)[:1], [1])
    close([rouge_l(said, written)], [1])


@given(corpora)
def test_one_more_reference_never_lowers_rouge(corpus: Corpus) -> None:
    said, written = [list(part) for part in zip(*corpus)]
    more = [[*captions, said[0] or ["a"]] for captions in written]
    assert rouge_l(said, more) >= rouge_l(said, written)


@pytest.mark.parametrize("score", [bleu, rouge_l, cider_d])
def test_silence_scores_nothing(score: Callable[..., object]) -> None:
    assert score([[], []], [[["a", "dog"]], [["a", "cat"]]]) in (0, [0, 0, 0, 0])


@pytest.mark.parametrize("score", [bleu, rouge_l, cider_d])
@pytest.mark.parametrize(
    ("said", "written", "error", "message"),
    [
        ([], [], ValueError, "got 0 and 0"),
        ([["a"]], [], ValueError, "got 1 and 0"),
        ([["a"]], [[]], ValueError, r"references\[0\]: expected at least one caption"),
        ([["a"], "a dog"], [[["a"]], [["a"]]], TypeError, r"\[1\]: expected lists of words"),
        ([["a"]], [["a dog"]], TypeError, r"\[0\]: expected lists of words"),
    ],
)
def test_bad_arguments(
    score: Callable[..., object],
    said: object,
    written: object,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        score(said, written)
