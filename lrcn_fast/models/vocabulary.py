"""The words of a captioner, as the LRCN release splits, counts, numbers and stores them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from lrcn_fast._files import StrPath, write_whole

__all__ = ["EOS", "MIN_COUNT", "UNKNOWN", "Vocabulary", "VocabularyError", "tokenize"]

EOS = 0
"""The id that begins and ends every sentence; no line of the file stands for it."""
UNKNOWN = "<unk>"
"""The word for all that the vocabulary leaves out; the first line of the file."""
MIN_COUNT = 5
"""How often the training captions must have a word, in the LRCN release."""

_RUNS = re.compile(r"(\W+)")
_BREAKS = re.compile(r"[\r\n]")


class VocabularyError(RuntimeError):
    """A file that is no vocabulary, or another one than expected; the message names it."""


def tokenize(caption: str) -> list[str]:
    """Split a caption as the LRCN release does.

    Runs of word characters and runs of others are tokens, in lower case and without white space
    around them. A final "." is dropped where it is a run of its own: "a dog." has two tokens,
    "a dog ." three. Two things differ: the release cut words at letters outside ASCII, and a
    line break inside a run is a space here, because a line of the file is a word.

    Args:
        caption: the text.

    Returns:
        The tokens; none for a text of white space or a "." alone.
    """
    text = _BREAKS.sub(" ", caption.strip())
    runs = [run.lower() for run in _RUNS.split(text) if run.strip()]
    if runs and runs[-1] == ".":
        runs.pop()
    return [run.strip() for run in runs]


class Vocabulary:
    """Words and their ids: id 0 is both the begin and the end of a sentence, word n has id n + 1.

    Attributes:
        words: the lines of the file, ``<unk>`` first; id 1 is ``<unk>``.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Take the words in the order of their ids.

        Raises:
            ValueError: the first is not ``<unk>``; one is empty or repeated, has white space around
                it or a line break inside, or is no Unicode text.
        """
        self.words = tuple(words)
        if not self.words or self.words[0] != UNKNOWN:
            found = repr(self.words[0]) if self.words else "no word"
            raise ValueError(f"line 1: expected {UNKNOWN}, got {found}")
        self._ids: dict[str, int] = {}
        for line, word in enumerate(self.words, start=1):
            if not word or word != word.strip() or _BREAKS.search(word):
                raise ValueError(f"line {line}: expected a word, got {word!r}")
            if word in self._ids:
                raise ValueError(f"line {line}: {word!r} is on line {self._ids[word]} already")
            self._ids[word] = line
        self._file = "".join(f"{word}\n" for word in self.words).encode()

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int = MIN_COUNT) -> "Vocabulary":
        """Count the words of the training captions.

        Args:
            captions: the texts; a generator will do.
            min_count: how often a word must occur.

        Returns:
            The words by falling count, equal counts in the order of code points (the release's
            ``init_vocabulary``).
        """
        if min_count < 1:
            raise ValueError(f"min_count: expected at least 1, got {min_count}")
        counts: Counter[str] = Counter()
        for caption in captions:
            counts.update(tokenize(caption))
        kept = [word for word, count in counts.items() if count >= min_count and word != UNKNOWN]
        return cls([UNKNOWN, *sorted(kept, key=lambda word: (-counts[word], word))])

    @classmethod
    def load(cls, path: StrPath) -> "Vocabulary":
        """Read a file with a word a line, as :meth:`save` and the LRCN release write it.

        Raises:
            FileNotFoundError: there is no such file.
            VocabularyError: it is not UTF-8, or no vocabulary; the message has the line.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such vocabulary")
        try:
            text = Path(path).read_bytes().decode()
            return cls([line.strip() for line in text.removesuffix("\n").split("\n")])
        except ValueError as error:
            raise VocabularyError(f"{path}: no vocabulary: {error}") from error

    def save(self, path: StrPath) -> None:
        """Write the words, one a line; an interrupted write leaves the old file."""
        write_whole(path, lambda file: file.write(self._file))

    def encode(self, caption: str) -> list[int]:
        """Return the ids of a caption's tokens, without the end of the sentence."""
        unknown = self._ids[UNKNOWN]
        return [self._ids.get(token, unknown) for token in tokenize(caption)]

    def decode(self, tokens: Sequence[int] | Tensor) -> str:
        """Return the release's output: a capital letter first, "." for the end, "..." where cut.

        Args:
            tokens: (L,) ids. What follows the first end of a sentence, or -1, is padding.

        Raises:
            ValueError: an id is none of this vocabulary's.
        """
        words: list[str] = []
        ending = "..."
        for token in tokens.tolist() if isinstance(tokens, Tensor) else tokens:
            if token in (EOS, -1):
                ending = "." if token == EOS else ending
                break
            if not 0 < token < len(self):
                raise ValueError(f"tokens: expected ids of -1 to {len(self) - 1}, got {token}")
            words.append(self.words[token - 1])
        sentence = " ".join(words)
        return sentence[:1].upper() + sentence[1:] + ending

    def __len__(self) -> int:
        """V, the ids a network tells apart: one more than there are words."""
        return len(self.words) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the file, to be kept beside the weights."""
        return hashlib.sha256(self._file).hexdigest()

    def require(self, fingerprint: str, owner: str) -> None:
        """Refuse weights that were trained with other words.

        Args:
            fingerprint: that of the vocabulary they were trained with.
            owner: what they are, for the message.

        Raises:
            VocabularyError: it is not this vocabulary's.
        """
        if fingerprint != self.fingerprint:
            raise VocabularyError(
                f"{owner}: trained with the vocabulary {fingerprint[:12]}, "
                f"got {self.fingerprint[:12]} of {len(self.words)} words"
            )
