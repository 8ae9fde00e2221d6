"""The release's words: how captions are split, counted, numbered, stored, and turned into text."""

import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast.data import EOS, UNKNOWN, Vocabulary, VocabularyError, tokenize

words = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=6)
texts = st.lists(words, min_size=1, max_size=8).map(" ".join)
anything = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=6)
VOCABULARY = Vocabulary([UNKNOWN, "a", "dog", ",", "runs"])


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A dog runs.", "a dog runs"),
        ("  A dog runs.\n", "a dog runs"),
        ("A dog runs .", "a dog runs ."),
        ("A dog runs..", "a dog runs .."),
        ("A dog, a cat!", "a dog , a cat !"),
        ("A man's T-shirt", "a man ' s t - shirt"),
        ("Two_words 3 times", "two_words 3 times"),
        (" . ", ""),
        ("", ""),
    ],
)
def test_tokens(caption: str, tokens: str) -> None:
    assert tokenize(caption) == tokens.split()


def test_letters_outside_ascii_and_inner_white_space() -> None:
    assert tokenize("Ein gro\u00dfer CAF\u00c9") == ["ein", "gro\u00dfer", "caf\u00e9"]
    assert tokenize('He says. "Go"') == ["he", "says", '. "', "go", '"']
    assert tokenize("a.\r\n.b") == ["a", ".  .", "b"]


def test_words_are_counted_and_ordered() -> None:
    captions = ["b b b", "a b c.", "c a", "d", "d", UNKNOWN]
    assert Vocabulary.build(captions, min_count=2).words == (UNKNOWN, "b", "a", "c", "d")
    assert Vocabulary.build(captions).words == (UNKNOWN,)
    assert Vocabulary.build(["x"] * 5).words == (UNKNOWN, "x")
    assert Vocabulary.build(["x"] * 4).words == (UNKNOWN,)


@given(st.lists(texts, max_size=8), st.integers(1, 3))
def test_every_frequent_word_is_in_and_no_other(captions: list[str], least: int) -> None:
    vocabulary = Vocabulary.build(iter(captions), least)
    tokens = [token for caption in captions for token in tokenize(caption)]
    assert set(vocabulary.words[1:]) == {token for token in tokens if tokens.count(token) >= least}
    keys = [(-tokens.count(word), word) for word in vocabulary.words[1:]]
    assert keys == sorted(keys)
    random.Random(0).shuffle(captions)
    assert Vocabulary.build(captions, least) == vocabulary


def test_ids_are_lines_plus_one() -> None:
    assert len(VOCABULARY) == 6
    assert VOCABULARY.encode("A dog, a CAT runs.") == [2, 3, 4, 2, 1, 5]
    assert EOS == 0


def test_output_of_the_release() -> None:
    assert VOCABULARY.decode([2, 3, 5, 0]) == "A dog runs."
    assert VOCABULARY.decode([2, 3, 5]) == "A dog runs..."
    assert VOCABULARY.decode(torch.tensor([2, 1, 0, -1, -1])) == "A <unk>."
    assert VOCABULARY.decode([2, 3, -1, -1]) == "A dog..."
    assert VOCABULARY.decode([0, 3]) == "."
    assert VOCABULARY.decode([]) == "..."


@given(st.lists(texts, min_size=1, max_size=4))
def test_what_is_encoded_is_decoded(captions: list[str]) -> None:
    vocabulary = Vocabulary.build(captions, 1)
    for caption in captions:
        decoded = vocabulary.decode([*vocabulary.encode(caption), EOS])
        assert tokenize(decoded) == tokenize(caption)


@given(anything)
def test_any_text_survives_the_file(tmp_path: Path, captions: list[str]) -> None:
    vocabulary = Vocabulary.build(captions, 1)
    vocabulary.save(tmp_path / "vocabulary.txt")
    loaded = Vocabulary.load(tmp_path / "vocabulary.txt")
    assert loaded == vocabulary
    assert hash(loaded) == hash(vocabulary)
    for caption in captions:
        assert UNKNOWN not in [loaded.words[token - 1] for token in loaded.encode(caption)]


def test_the_file_is_the_release_s(tmp_path: Path) -> None:
    path = tmp_path / "model" / "vocabulary.txt"
    VOCABULARY.save(path)
    assert path.read_bytes() == b"<unk>\na\ndog\n,\nruns\n"
    assert list(path.parent.iterdir()) == [path]
    path.write_bytes(b"<unk>\r\na\r\ndog\r\n , \r\nruns")
    assert Vocabulary.load(path) == VOCABULARY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"line 1: expected <unk>, got ''"),
        (b"a\n<unk>\n", r"line 1: expected <unk>, got 'a'"),
        (b"<unk>\na\n\nb\n", r"line 3: expected a word, got ''"),
        (b"<unk>\na\n\n", r"line 3: expected a word"),
        (b"<unk>\na\nb\na\n", r"line 4: 'a' is on line 2 already"),
        (b"<unk>\n\xff\n", r"can't decode byte 0xff in position 6"),
    ],
)
def test_files_that_are_no_vocabulary(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=rf"words\.txt: no vocabulary: .*{message}"):
        Vocabulary.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such vocabulary"):
        Vocabulary.load(tmp_path / "nowhere")


def test_another_vocabulary_is_refused() -> None:
    VOCABULARY.require(Vocabulary(VOCABULARY.words).fingerprint, "model")
    turned = Vocabulary([UNKNOWN, "dog", "a", ",", "runs"])
    with pytest.raises(VocabularyError, match="model: trained with the vocabulary .* of 5 words"):
        VOCABULARY.require(turned.fingerprint, "model")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "line 1: expected <unk>, got no word"),
        ([UNKNOWN, " a"], "line 2: expected a word, got ' a'"),
        ([UNKNOWN, "a\nb"], "line 2: expected a word"),
        ([UNKNOWN, UNKNOWN], "line 2: '<unk>' is on line 1 already"),
        ([UNKNOWN, "\ud800"], "surrogates not allowed"),
    ],
)
def test_bad_words(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Vocabulary(words)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="min_count: expected at least 1, got 0"):
        Vocabulary.build([], min_count=0)
    for token in (6, -2):
        with pytest.raises(ValueError, match=f"tokens: expected ids of -1 to 5, got {token}"):
            VOCABULARY.decode([2, token])
