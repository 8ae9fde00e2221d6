"""Training batches of captions, as the LRCN release writes them to its HDF5 files."""

import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn_fast.data.captions import CaptionedImage
from lrcn_fast.models.vocabulary import EOS, Vocabulary

__all__ = ["CAPTION_STEPS", "CAPTION_STREAMS", "CaptionBatch", "CaptionBatches", "SentenceBatches"]

CAPTION_STEPS = 20
"""T, the steps of a window in the LRCN release; longer captions are cut."""
CAPTION_STREAMS = 100
"""B, the captions of a batch there."""
SEED = 3
IGNORED = -1


@dataclass(frozen=True)
class CaptionBatch:
    """A window of T steps of B streams.

    Attributes:
        words: (T, B) int64, what goes in: 0 first, then the caption's words; 0 where padded.
        cont: (T, B) bool, False on the first word of a caption and where padded.
        targets: (T, B) int64, what has to come out: the words, then 0; -1 where padded.
        images: (B,) int64, the place of each caption's image in the data set; of no element where
            sentences have none.
    """

    words: Tensor
    cont: Tensor
    targets: Tensor
    images: Tensor


class _Sentences:
    """Encoded captions in one flat tensor, and the order they were shuffled into once."""

    def __init__(self, captions: Iterable[str], vocabulary: Vocabulary) -> None:
        flat, lengths = array("i"), array("q")
        for number, caption in enumerate(captions):
            words = vocabulary.encode(caption)
            if not words:
                raise ValueError(f"captions[{number}]: expected words, got {caption!r}")
            flat.extend(words)
            lengths.append(len(words))
        if not lengths:
            raise ValueError("captions: expected at least one, got none")
        self.words = torch.frombuffer(flat, dtype=torch.int32)
        self.lengths = torch.frombuffer(lengths, dtype=torch.int64)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.order = list(range(len(lengths)))

    def shuffle(self, seed: int, multiple_of: int = 1) -> None:
        """Fill up with captions drawn anew, then shuffle."""
        draws = random.Random(seed)
        count = len(self.order)
        self.order += [draws.randrange(count) for _ in range(-count % multiple_of)]
        draws.shuffle(self.order)

    def sentence(self, number: int) -> list[int]:
        """The ids of a caption."""
        start = int(self.starts[number])
        return self.words[start : start + int(self.lengths[number])].tolist()


def _check(streams: int, steps: int) -> None:
    if min(streams, steps) < 1:
        raise ValueError(f"streams and steps: expected at least 1, got {streams} and {steps}")


class CaptionBatches:
    """One caption a stream and window, with its image: the release's "aligned" data.

    The pairs of image and caption are filled up to a multiple of the streams with pairs drawn
    anew, and shuffled once: each pass over the batches is in the same order, as the release's is.
    Another ``seed`` gives another order.

    Args:
        images: the training images.
        vocabulary: the words.
        streams: B, the captions of a batch.
        steps: T; a caption of more than T - 1 words is cut, and has then no end.
        seed: of the draws and the shuffle.

    Raises:
        ValueError: there is no caption, or ``streams`` or ``steps`` is below 1.
    """

    def __init__(
        self,
        images: Sequence[CaptionedImage],
        vocabulary: Vocabulary,
        *,
        streams: int = CAPTION_STREAMS,
        steps: int = CAPTION_STEPS,
        seed: int = SEED,
    ) -> None:
        _check(streams, steps)
        self.streams, self.steps = streams, steps
        self._sentences = _Sentences((c for image in images for c in image.captions), vocabulary)
        self._sentences.shuffle(seed, streams)
        counts = torch.tensor([len(image.captions) for image in images])
        self._images = torch.arange(len(images)).repeat_interleave(counts)

    def __len__(self) -> int:
        return len(self._sentences.order) // self.streams

    def __iter__(self) -> Iterator[CaptionBatch]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> CaptionBatch:
        if not 0 <= number < len(self):
            raise IndexError(f"number: expected 0 to {len(self) - 1}, got {number}")
        first = number * self.streams
        numbers = torch.tensor(self._sentences.order[first : first + self.streams])
        starts, lengths = self._sentences.starts[numbers], self._sentences.lengths[numbers]
        step = torch.arange(self.steps)[:, None]
        places = (starts + step).clamp(max=len(self._sentences.words) - 1)
        words = self._sentences.words[places].long()
        targets = words.where(step < lengths, IGNORED).where(step != lengths, EOS)
        before = torch.full((1, self.streams), EOS)
        inputs = torch.cat([before, words[:-1].where(step[:-1] < lengths, EOS)])
        cont = (step > 0) & (step <= lengths)
        return CaptionBatch(inputs, cont, targets, self._images[numbers])


class SentenceBatches:
    """Sentences back to back in every stream, for a language model: the release's "unaligned" data.

    A stream takes the next sentence as soon as its last one ends, so one may begin in a window and
    end in the next: carry the state from batch to batch. ``cont`` is False where a sentence begins,
    at the start of a pass over the batches too. When the sentences are used up, the streams are
    padded to the end of the window.

    Args:
        captions: the sentences.
        vocabulary: the words.
        streams: B.
        steps: T of a window.
        seed: of the shuffle, which happens once.

    Raises:
        ValueError: there is no sentence, or ``streams`` or ``steps`` is below 1.
    """

    def __init__(
        self,
        captions: Iterable[str],
        vocabulary: Vocabulary,
        *,
        streams: int = CAPTION_STREAMS,
        steps: int = CAPTION_STEPS,
        seed: int = SEED,
    ) -> None:
        _check(streams, steps)
        self.streams, self.steps = streams, steps
        self._sentences = _Sentences(captions, vocabulary)
        self._sentences.shuffle(seed)

    def __iter__(self) -> Iterator[CaptionBatch]:
        waiting = (self._sentences.sentence(number) for number in self._sentences.order)
        # Of the sentence that each stream is in: (word that goes in, word that has to come out).
        rest: list[Iterator[tuple[int, int]]] = [iter(()) for _ in range(self.streams)]
        while True:
            window = [_step(rest, waiting) for _ in range(self.steps)]
            words, cont, targets = torch.tensor(window).unbind(-1)
            if bool((targets == IGNORED).all()):
                return
            yield CaptionBatch(words, cont.bool(), targets, torch.zeros(0, dtype=torch.int64))


def _step(
    rest: list[Iterator[tuple[int, int]]], waiting: Iterator[list[int]]
) -> list[tuple[int, bool, int]]:
    """(word, cont, target) of every stream at one step; a stream that is done begins a sentence."""
    row = []
    for stream in range(len(rest)):
        pair = next(rest[stream], None)
        goes_on = pair is not None
        if pair is None:
            words = next(waiting, [])
            rest[stream] = zip([EOS, *words], [*words, EOS]) if words else iter(())
            pair = next(rest[stream], (EOS, IGNORED))
        row.append((pair[0], goes_on, pair[1]))
    return row
