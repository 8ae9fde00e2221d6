"""Training batches hold every caption as the release's files do, in the same order each pass."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast.data import (
    CAPTION_STEPS,
    CAPTION_STREAMS,
    EOS,
    CaptionBatch,
    CaptionBatches,
    CaptionedImage,
    SentenceBatches,
    Vocabulary,
)

LETTERS = "abcdefghij"
VOCABULARY = Vocabulary(["<unk>", *LETTERS])
caption = st.text(LETTERS + "z", min_size=1, max_size=12).map(" ".join)
captions = st.lists(caption, min_size=1, max_size=9)
image_lists = st.lists(captions, min_size=1, max_size=6)


def images_of(texts: list[list[str]]) -> list[CaptionedImage]:
    return [CaptionedImage(Path(f"{n}.jpg"), tuple(c), "train") for n, c in enumerate(texts)]


def check_form(batch: CaptionBatch, steps: int, streams: int) -> None:
    for tensor in (batch.words, batch.cont, batch.targets):
        assert tensor.shape == (steps, streams)
    assert batch.words.dtype == batch.targets.dtype == batch.images.dtype == torch.int64
    assert batch.cont.dtype == torch.bool
    counted = batch.targets != -1
    assert not batch.words[~counted].any()
    assert not batch.cont[~counted].any()
    assert not batch.words[counted & ~batch.cont].any()


def test_a_window_of_the_release() -> None:
    assert (CAPTION_STEPS, CAPTION_STREAMS) == (20, 100)
    images = images_of([["a b c"], ["d z"]])
    (batch,) = CaptionBatches(images, VOCABULARY, streams=2, steps=5)
    order = batch.images.tolist()
    assert sorted(order) == [0, 1]
    expected = [
        # words, cont, targets of "a b c" and of "d" with an unknown word
        ([0, 2, 3, 4, 0], [0, 1, 1, 1, 0], [2, 3, 4, 0, -1]),
        ([0, 5, 1, 0, 0], [0, 1, 1, 0, 0], [5, 1, 0, -1, -1]),
    ]
    for stream, image in enumerate(order):
        words, cont, targets = expected[image]
        assert batch.words[:, stream].tolist() == words
        assert batch.cont[:, stream].tolist() == [bool(c) for c in cont]
        assert batch.targets[:, stream].tolist() == targets


def test_long_captions_lose_their_end() -> None:
    images = images_of([["a b c"], ["a b c d"], ["a b c d e f"]])
    (batch,) = CaptionBatches(images, VOCABULARY, streams=3, steps=4)
    for stream, image in enumerate(batch.images.tolist()):
        assert batch.words[:, stream].tolist() == [0, 2, 3, 4]
        assert batch.cont[:, stream].tolist() == [False, True, True, True]
        assert batch.targets[:, stream].tolist() == [2, 3, 4, 0 if image == 0 else 5]


@given(image_lists, st.integers(1, 7), st.integers(1, 14))
def test_every_pair_is_there(texts: list[list[str]], streams: int, steps: int) -> None:
    images = images_of(texts)
    batches = CaptionBatches(images, VOCABULARY, streams=streams, steps=steps)
    found: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for batch in batches:
        check_form(batch, steps, streams)
        assert not batch.cont[0].any()
        for stream in range(streams):
            targets = batch.targets[:, stream]
            assert batch.words[1:, stream].tolist() == [max(t, 0) for t in targets[:-1].tolist()]
            found[int(batch.images[stream]), tuple(targets[targets != -1].tolist())] += 1
    expected = Counter(
        (number, tuple([*VOCABULARY.encode(text), EOS][:steps]))
        for number, image in enumerate(images)
        for text in image.captions
    )
    count = expected.total()
    assert len(batches) == -(-count // streams) == found.total() / streams
    assert found >= expected
    assert set(found) == set(expected)


def test_passes_are_the_same_and_seeds_are_not() -> None:
    images = images_of([[" ".join(pair)] for pair in zip(LETTERS, LETTERS[::-1])])

    def order(batches: CaptionBatches) -> list[int]:
        return [number for batch in batches for number in batch.images.tolist()]

    batches = CaptionBatches(images, VOCABULARY, streams=3)
    assert order(batches) == order(batches)
    assert order(batches) == order(CaptionBatches(images, VOCABULARY, streams=3))
    assert order(batches) != order(CaptionBatches(images, VOCABULARY, streams=3, seed=4))
    assert order(batches) != sorted(order(batches))


@given(captions, st.integers(1, 5), st.integers(1, 9), st.integers(0, 3))
def test_sentences_go_on_from_batch_to_batch(
    texts: list[str], streams: int, steps: int, seed: int
) -> None:
    batches = list(SentenceBatches(texts, VOCABULARY, streams=streams, steps=steps, seed=seed))
    for batch in batches:
        check_form(batch, steps, streams)
        assert batch.images.shape == (0,)
    words, cont, targets = (
        torch.cat([getattr(batch, name) for batch in batches])
        for name in ("words", "cont", "targets")
    )
    found: Counter[tuple[int, ...]] = Counter()
    for stream in range(streams):
        length = int((targets[:, stream] != -1).sum())
        assert (targets[length:, stream] == -1).all()
        sentence: list[int] = []
        for step in range(length):
            assert cont[step, stream] == bool(sentence)
            assert words[step, stream] == (sentence[-1] if sentence else EOS)
            sentence.append(int(targets[step, stream]))
            if sentence[-1] == EOS:
                found[tuple(sentence)] += 1
                sentence = []
        assert not sentence
    assert found == Counter((*VOCABULARY.encode(text), EOS) for text in texts)
    assert all((batch.targets != -1).any() for batch in batches)


def test_a_stream_takes_the_next_sentence() -> None:
    (batch,) = SentenceBatches(["a", "a", "a"], VOCABULARY, streams=2, steps=5)
    assert batch.words.T.tolist() == [[0, 2, 0, 2, 0], [0, 2, 0, 0, 0]]
    assert batch.targets.T.tolist() == [[2, 0, 2, 0, -1], [2, 0, -1, -1, -1]]


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "captions: expected at least one, got none"),
        (["a", " . "], {}, r"captions\[1\]: expected words, got ' \. '"),
        (["a"], {"streams": 0}, "streams and steps: expected at least 1, got 0 and 20"),
        (["a"], {"steps": 0}, "streams and steps: expected at least 1, got 100 and 0"),
    ],
)
def test_bad_arguments(texts: list[str], options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SentenceBatches(texts, VOCABULARY, **options)
    with pytest.raises(ValueError, match=message):
        CaptionBatches(images_of([[text] for text in texts]), VOCABULARY, **options)
