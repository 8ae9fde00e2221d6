"""JSON files of any size: the arrays of a top-level object, one element at a time."""

import json
from collections.abc import Collection, Iterator
from itertools import count
from typing import Any, TextIO

from lrcn_fast._files import StrPath
from lrcn_fast.data.captions import CaptionFileError, open_text

__all__ = ["iter_elements"]

PIECE = 1 << 20
LARGEST = 1 << 24
"""Characters of the largest element; a file whose quotes don't match would be read as one."""
WHITE = " \t\r\n"
LOOK_AHEAD = 16
"""A number, literal or escape that a piece's end cuts in two is wrong this close to the end."""


class _Text:
    """A text of which only the piece that is being decoded is in memory."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.file, self.name = file, name
        self.piece, self.at, self.ended = "", 0, False
        self.line, self.column = 1, 1
        self.decoder = json.JSONDecoder()

    def error(self, message: str, at: int | None = None) -> CaptionFileError:
        """An error at ``at``, by default where reading stands."""
        before = self.piece[: self.at if at is None else at]
        breaks = before.count("\n")
        column = len(before) - before.rfind("\n") if breaks else self.column + len(before)
        place = f"line {self.line + breaks}, column {column}"
        return CaptionFileError(f"{self.name}: bad JSON at {place}: {message}")

    def read_on(self) -> bool:
        """Drop what is decoded, read another piece; False at the end of the file."""
        done = self.piece[: self.at]
        breaks = done.count("\n")
        self.column = len(done) - done.rfind("\n") if breaks else self.column + len(done)
        self.line += breaks
        more = self.file.read(PIECE)
        self.piece, self.at, self.ended = self.piece[self.at :] + more, 0, not more
        return not self.ended

    def peek(self) -> str:
        """The next character that is no white space, "" at the end of the file."""
        while True:
            while self.at < len(self.piece) and self.piece[self.at] in WHITE:
                self.at += 1
            if self.at < len(self.piece) or not self.read_on():
                return self.piece[self.at : self.at + 1]

    def expect(self, choices: str) -> str:
        """The next character, which has to be one of ``choices``."""
        found = self.peek()
        if not found or found not in choices:
            wanted = " or ".join(repr(choice) for choice in choices)
            raise self.error(f"expected {wanted}, got {found!r}" if found else "the file ends here")
        self.at += 1
        return found

    def value(self) -> Any:
        """Decode the next value as a whole."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.piece, self.at)
                # A number may go on in the next piece: "1.5e-3" cut behind its "e" reads as 1.5.
                if self.ended or len(self.piece) - end >= LOOK_AHEAD:
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                near_end = len(self.piece) - error.pos < LOOK_AHEAD
                cut = near_end or error.msg.startswith("Unterminated string")
                if self.ended or not cut:
                    raise self.error(error.msg, error.pos) from error
            except RecursionError as error:
                raise self.error("too deeply nested") from error
            if len(self.piece) - self.at > LARGEST:
                raise self.error(f"a single value of more than {LARGEST} characters")
            self.read_on()


def _elements(text: _Text) -> Iterator[tuple[int, Any]]:
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
        return
    for index in count():
        yield index, text.value()
        if text.expect(",]") == "]":
            return


def iter_elements(path: StrPath, arrays: Collection[str]) -> Iterator[tuple[str, int, Any]]:
    """Read arrays of the object that a JSON file holds, one element at a time.

    Args:
        path: the file.
        arrays: names of the arrays, which may come in any order; others are skipped.

    Yields:
        (name of the array, index, element).

    Raises:
        FileNotFoundError: there is no such file.
        CaptionFileError: it is no such JSON; the message has the line and the column.
    """
    missing = set(arrays)
    with open_text(path) as file:
        text = _Text(file, str(path))
        text.expect("{")
        ending = text.expect("}") if text.peek() == "}" else ""
        while ending != "}":
            name = text.value()
            if not isinstance(name, str):
                raise text.error(f"expected a name in quotes, got {name!r}")
            text.expect(":")
            if text.peek() == "[":
                for index, element in _elements(text):
                    if name in arrays:
                        yield name, index, element
                missing.discard(name)
            else:
                if name in arrays:
                    raise text.error(f"{name}: expected an array")
                text.value()
            ending = text.expect(",}")
        if text.peek():
            raise text.error("more than one value")
    if missing:
        raise CaptionFileError(f"{path}: the object has no {' and no '.join(sorted(missing))}")
