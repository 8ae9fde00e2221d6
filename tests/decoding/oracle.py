"""Decoding as the original code does it: one image, one prefix at a time, from the first word."""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from lrcn_fast.models import Captioner


class Sentence(NamedTuple):
    """Words so far, the log-probability of each, and whether it goes on."""

    words: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.values)

    def finished(self, max_length: int) -> bool:
        return len(self.words) == max_length or self.words[-1:] == (0,)


def next_log_probs(model: Captioner, image: Tensor | None, words: tuple[int, ...]) -> Tensor:
    """Of all words (V,) after a prefix, through the network's forward."""
    read = torch.tensor([0, *words]).unsqueeze(1)
    with torch.no_grad():
        scores = model(read, read != 0, None if image is None else image.unsqueeze(0))
    return scores[-1, 0].log_softmax(0)


def allowed(words: tuple[int, ...], forbidden: tuple[int, ...], min_length: int, size: int):
    """The words that may follow a prefix."""
    late = len(words) >= min_length
    return [w for w in range(size) if w not in forbidden and (w != 0 or late)]


def beam_search(
    model: Captioner,
    image: Tensor | None,
    beam_size: int,
    max_length: int,
    length_penalty: float = 0.0,
    forbidden: tuple[int, ...] = (),
    min_length: int = 0,
) -> list[Sentence]:
    """``captioner.py`` with beam_size > 1, and the options that it does not have."""
    size = model.config.vocabulary_size
    beams = [Sentence((), ())]
    while not all(beam.finished(max_length) for beam in beams):
        candidates = []
        for beam in beams:
            if beam.finished(max_length):
                candidates.append(beam)
                continue
            values = next_log_probs(model, image, beam.words)
            words = allowed(beam.words, forbidden, min_length, size)
            words.sort(key=lambda word: -float(values[word]))
            candidates += [
                Sentence((*beam.words, word), (*beam.values, float(values[word])))
                for word in words[:beam_size]
            ]
        candidates.sort(key=lambda beam: -beam.total / len(beam.words) ** length_penalty)
        beams = candidates[:beam_size]
    return beams


def all_sentences(
    model: Captioner,
    image: Tensor | None,
    max_length: int,
    forbidden: tuple[int, ...] = (),
    min_length: int = 0,
) -> list[Sentence]:
    """Every sentence that there can be, in no order."""
    size = model.config.vocabulary_size
    found = []
    for length in range(1, max_length + 1):
        for words in product(range(size), repeat=length):
            whole = words[-1] == 0 or length == max_length
            if not whole or 0 in words[:-1]:
                continue
            if all(
                word in allowed(words[:k], forbidden, min_length, size)
                for k, word in enumerate(words)
            ):
                values = [
                    float(next_log_probs(model, image, words[:k])[word])
                    for k, word in enumerate(words)
                ]
                found.append(Sentence(words, tuple(values)))
    return found
