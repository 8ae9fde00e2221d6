"""Readers of the files that captions come in: COCO, Karpathy's splits, Flickr30k, tables.

Each reads its file piece by piece, so memory holds the captions and not the file.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from lrcn_fast._files import StrPath
from lrcn_fast.data._json_stream import iter_elements
from lrcn_fast.data.captions import CaptionedImage, Collected, open_text

__all__ = ["read_captions", "read_coco", "read_flickr30k", "read_karpathy"]

IMAGE_COLUMNS = ("image", "file_name")
CAPTION_COLUMNS = ("caption", "text")
TABLES = (".tsv", ".csv", ".jsonl")
TOKEN_LINE = re.compile(r"(?P<image>[^\t]+)#(?P<number>\d+)\t(?P<caption>.*)")


def _field(element: Any, name: str, collected: Collected, place: str) -> Any:
    if not isinstance(element, dict) or name not in element:
        raise collected.error(place, f"expected an object with {name!r}")
    return element[name]


def read_coco(
    path: StrPath, images: StrPath, split: str, *, missing: str = "error"
) -> list[CaptionedImage]:
    """Read COCO's ``captions_train2014.json`` and the like.

    Args:
        path: the file, an object with "images" and "annotations".
        images: the folder of the image files.
        split: the split that all images get, because the file names none.
        missing: what to do with images that are not there: "error", or "skip" them.

    Raises:
        FileNotFoundError: there is no such file.
        CaptionFileError: bad JSON, an id that occurs twice, an empty caption, an image without
            caption, a caption without image, or a missing image; the message has the place.
    """
    collected = Collected(path)
    annotations: set[object] = set()
    for array, index, element in iter_elements(path, ("images", "annotations")):
        place = f"{array}[{index}]"
        identity = _field(element, "id", collected, place)
        if not isinstance(identity, int | str):
            raise collected.error(place, f"expected an id, got {identity!r}")
        if array == "images":
            name = _field(element, "file_name", collected, place)
            collected.add_image(identity, name, split, place)
            continue
        if identity in annotations:
            raise collected.error(place, f"there was an annotation {identity} before")
        annotations.add(identity)
        image = _field(element, "image_id", collected, place)
        caption = _field(element, "caption", collected, place)
        if not isinstance(image, int | str):
            raise collected.error(place, f"expected the id of an image, got {image!r}")
        collected.add_caption(image, caption, place)
    return collected.finish(images, missing)


def read_karpathy(
    path: StrPath, images: StrPath, *, missing: str = "error"
) -> list[CaptionedImage]:
    """Read Karpathy's ``dataset_coco.json``, and those of flickr8k and flickr30k.

    Their splits are "train", "val", "test", and in COCO "restval", which most papers train on too.

    Args:
        path: the file, an object with "images", each with "filename", "split" and "sentences".
        images: the folder of the image files; COCO's "filepath" is looked for in it.
        missing: as in :func:`read_coco`.

    Raises:
        FileNotFoundError, CaptionFileError: as in :func:`read_coco`.
    """
    collected = Collected(path)
    for _, index, element in iter_elements(path, ("images",)):
        place = f"images[{index}]"
        name = _field(element, "filename", collected, place)
        parent = element.get("filepath", "")
        if not isinstance(parent, str):
            raise collected.error(place, f"expected a folder as 'filepath', got {parent!r}")
        key = f"{parent}/{name}" if parent else name
        collected.add_image(key, key, _field(element, "split", collected, place), place)
        sentences = _field(element, "sentences", collected, place)
        if not isinstance(sentences, list):
            raise collected.error(place, f"expected a list of 'sentences', got {sentences!r}")
        for number, sentence in enumerate(sentences):
            where = f"{place}.sentences[{number}]"
            collected.add_caption(key, _field(sentence, "raw", collected, where), where)
    return collected.finish(images, missing)


def read_flickr30k(
    path: StrPath, images: StrPath, split: str = "train", *, missing: str = "error"
) -> list[CaptionedImage]:
    """Read Flickr30k's ``results_20130124.token``: lines of "name.jpg#0", a tab and a caption.

    Args:
        path: the file.
        images: the folder of the image files.
        split: the split that all images get; :func:`read_karpathy` knows the usual ones.
        missing: as in :func:`read_coco`.

    Raises:
        FileNotFoundError, CaptionFileError: as in :func:`read_coco`.
    """
    collected = Collected(path)
    seen: set[str] = set()
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            place = f"line {line}"
            match = TOKEN_LINE.fullmatch(text.rstrip("\r\n"))
            if match is None:
                raise collected.error(place, f"expected name#number, tab, caption, got {text!r}")
            image = match["image"]
            if image not in collected.names:
                collected.add_image(image, image, split, place)
            label = f"{image}#{match['number']}"
            if label in seen:
                raise collected.error(place, f"there was a caption {label} before")
            seen.add(label)
            collected.add_caption(image, match["caption"], place)
    return collected.finish(images, missing)


def _rows(file: TextIO, suffix: str, collected: Collected) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a table with a header, or of a file with a JSON object a line."""
    if suffix == ".jsonl":
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                raise collected.error(f"line {line}", f"bad JSON: {error}") from error
            if not isinstance(row, dict):
                raise collected.error(f"line {line}", f"expected an object, got {row!r}")
            yield f"line {line}", row
        return
    if suffix == ".tsv":
        reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        for cells in reader:
            place = f"line {reader.line_num}"
            if cells and len(cells) != len(header):
                expected = f"expected {len(header)} cells as in the header"
                raise collected.error(place, f"{expected}, got {len(cells)}")
            if cells:
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise collected.error(f"line {reader.line_num}", str(error)) from error


def read_captions(
    path: StrPath, images: StrPath | None = None, *, missing: str = "error"
) -> list[CaptionedImage]:
    """Read a table with a caption a row: tab separated, comma separated, or JSON lines.

    The suffix says which: ``.tsv`` and ``.csv`` have a header, ``.jsonl`` an object a line. Each
    row has an image file ("image" or "file_name"), a caption ("caption" or "text"), and it may have
    a "split" ("train" where there is none). An image with five captions has five rows.

    Args:
        path: the file.
        images: the folder of the image files; by default that of the file.
        missing: as in :func:`read_coco`.

    Raises:
        FileNotFoundError: there is no such file.
        CaptionFileError: a row that cannot be read, an empty caption, an image in two splits, or a
            missing image; the message has the line.
        ValueError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in TABLES:
        raise ValueError(f"path: expected a file of {', '.join(TABLES)}, got {path}")
    collected = Collected(path)
    with open_text(path) as file:
        for place, row in _rows(file, suffix, collected):
            image = _cell(row, IMAGE_COLUMNS, collected, place)
            caption = _cell(row, CAPTION_COLUMNS, collected, place)
            split = row.get("split", "train")
            if image not in collected.names:
                collected.add_image(image, image, split, place)
            elif collected.splits[image] != split:
                first = collected.splits[image]
                raise collected.error(place, f"{image} is in split {first!r} and in {split!r}")
            collected.add_caption(image, caption, place)
    return collected.finish(Path(path).parent if images is None else images, missing)


def _cell(row: dict[str, Any], names: tuple[str, ...], collected: Collected, place: str) -> str:
    for name in names:
        cell = row.get(name)
        if isinstance(cell, str):
            return cell
        if name in row:
            raise collected.error(place, f"expected a text as {name!r}, got {cell!r}")
    columns = " or ".join(repr(name) for name in names)
    raise collected.error(place, f"expected a column {columns}, got {sorted(row)}")
