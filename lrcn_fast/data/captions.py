"""Images with captions, and what all readers of caption files share."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lrcn_fast._files import StrPath

__all__ = ["CaptionFileError", "CaptionedImage", "Collected", "open_text"]

WORD = re.compile(r"\w")


class CaptionFileError(RuntimeError):
    """A file of captions that cannot be used; the message names it and the place."""


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image file and what people wrote about it.

    Attributes:
        path: the file.
        captions: the texts, at least one, as they are in the source.
        split: the part of the data set: "train", "val", "test", "restval", ...
    """

    path: Path
    captions: tuple[str, ...]
    split: str


@contextmanager
def open_text(path: StrPath) -> Iterator[TextIO]:
    """Open a UTF-8 file whose line ends are left alone.

    Raises:
        FileNotFoundError: there is no such file.
        CaptionFileError: what is read from it is no UTF-8.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise CaptionFileError(f"{path}: expected UTF-8 text: {error}") from error


class Collected:
    """Images and captions of one file as they are read, in any order.

    Args:
        source: the file, for messages.
    """

    def __init__(self, source: StrPath) -> None:
        self.source = source
        self.names: dict[object, str] = {}
        self.splits: dict[object, str] = {}
        self.captions: dict[object, list[str]] = {}

    def error(self, place: str, message: str) -> CaptionFileError:
        """An error that names the file and the place in it."""
        return CaptionFileError(f"{self.source}: {place}: {message}")

    def add_image(self, key: object, name: object, split: object, place: str) -> None:
        """Add an image under the key that its captions name it by."""
        if not isinstance(name, str) or not name.strip():
            raise self.error(place, f"expected the name of an image file, got {name!r}")
        if not isinstance(split, str) or not split.strip():
            raise self.error(place, f"expected the name of a split, got {split!r}")
        if key in self.names:
            raise self.error(place, f"there was an image {key!r} before")
        self.names[key] = name
        self.splits[key] = split

    def add_caption(self, key: object, caption: object, place: str) -> None:
        """Add a caption to the image of that key, which may follow later."""
        if not isinstance(caption, str) or not WORD.search(caption):
            raise self.error(place, f"expected a caption of words, got {caption!r}")
        self.captions.setdefault(key, []).append(caption)

    def finish(self, folder: StrPath, missing: str) -> list[CaptionedImage]:
        """Join both and look for the image files.

        Args:
            folder: where the names of the images start.
            missing: "error", or "skip" to leave images out that are not there.

        Raises:
            CaptionFileError: there is no image, one has no caption, a caption no image, or
                a file is missing.
            ValueError: ``missing`` is neither.
        """
        if missing not in ("error", "skip"):
            raise ValueError(f"missing: expected 'error' or 'skip', got {missing!r}")
        for key in self.captions:
            if key not in self.names:
                raise self.error(f"captions of image {key!r}", "there is no such image")
        images, absent = [], []
        for key, name in self.names.items():
            if key not in self.captions:
                raise self.error(f"image {key!r}", "has no caption")
            path = Path(folder) / name
            if path.is_file():
                captions = tuple(self.captions[key])
                images.append(CaptionedImage(path, captions, self.splits[key]))
            else:
                absent.append(path)
        if absent:
            message = f"{len(absent)} of {len(self.names)} images are missing, {absent[0]} first"
            if missing == "error":
                raise CaptionFileError(
                    f"{self.source}: {message}; missing='skip' leaves such images out"
                )
            warnings.warn(f"{self.source}: {message}", stacklevel=3)
        if not images:
            raise CaptionFileError(f"{self.source}: there is no image")
        return images
