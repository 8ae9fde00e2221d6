"""The words that captions are scored by, and their n-grams."""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["ORDERS", "References", "check_pairs", "ngrams", "scored_words"]

References = Sequence[Sequence[Sequence[str]]]
"""For each image its reference captions, each a list of words."""
ORDERS = 4
"""The longest n-grams that BLEU and CIDEr count."""

_DROPPED = frozenset("'\"`.?!,:;-\u2013\u2014\u2026\u201c\u201d")
_APOSTROPHES = str.maketrans("\u2018\u2019", "''")
_BRACKETS = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
}
_TOKEN = re.compile(
    r"""
    \d+(?:[.,:/]\d+)+                     # 3.5  1,000  10:30  1/2
  | (?:[^\W\d_]\.){2,}                    # u.s.
  | \w+(?:[-/&@']\w+)*                    # black-and-white  isn't
  | \S
    """,
    re.VERBOSE,
)
_CLITIC = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve))")
_PARTS = {
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "wanna": ("wan", "na"),
}


def scored_words(caption: str) -> list[str]:
    """Split a caption as COCO's evaluation does: lower case, clitics apart, no punctuation.

    That is Stanford's Penn Treebank tokenizer (a Java program) and the removal of punctuation;
    brackets and other signs stay words. What is here agrees with it on captions, but knows no
    abbreviations, such as "st.", whose full stop would stay.

    Args:
        caption: the text.

    Returns:
        The words.
    """
    words: list[str] = []
    for token in _TOKEN.findall(caption.lower().translate(_APOSTROPHES)):
        clitic = _CLITIC.fullmatch(token)
        if token in _PARTS:
            words += _PARTS[token]
        elif clitic:
            words += clitic.groups()
        elif token not in _DROPPED:
            words.append(_BRACKETS.get(token, token))
    return words


def ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """Count the runs of ``order`` words."""
    return Counter(zip(*(words[start:] for start in range(order))))


def check_pairs(candidates: Sequence[Sequence[str]], references: References) -> None:
    """Refuse what no score can be computed of.

    Raises:
        ValueError: there is no candidate, their number differs from that of the references, or one
            has no reference.
        TypeError: a text came where a list of words belongs.
    """
    if not candidates or len(candidates) != len(references):
        raise ValueError(
            f"candidates and references: expected as many of both and at least one, "
            f"got {len(candidates)} and {len(references)}"
        )
    for number, (candidate, captions) in enumerate(zip(candidates, references)):
        if not captions:
            raise ValueError(f"references[{number}]: expected at least one caption, got none")
        if any(isinstance(words, str) for words in (candidate, captions, *captions)):
            raise TypeError(f"candidates and references [{number}]: expected lists of words")
