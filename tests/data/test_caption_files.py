"""Caption files of every kind give the same images; what is wrong is said with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrcn_fast.data import (
    CaptionedImage,
    CaptionFileError,
    read_captions,
    read_coco,
    read_flickr30k,
    read_karpathy,
)

DOG = ("A dog runs.", 'A "brown" dog, running')
CAT = ("A cat sits \u2013 alone.",)
Kind = tuple[str, str, Callable[..., list[CaptionedImage]]]


def coco(images: Any = None, annotations: Any = None) -> str:
    return json.dumps(
        {
            "info": {"year": 2014},
            "images": images
            or [{"id": 1, "file_name": "dog.jpg"}, {"id": 2, "file_name": "cat.jpg"}],
            "licenses": [],
            "annotations": annotations
            or [
                {"id": 10, "image_id": 1, "caption": DOG[0]},
                {"id": 12, "image_id": 2, "caption": CAT[0]},
                {"id": 11, "image_id": 1, "caption": DOG[1]},
            ],
        }
    )


def karpathy(**changes: Any) -> str:
    dog = {
        "filename": "dog.jpg",
        "imgid": 0,
        "split": "train",
        "sentences": [{"raw": text, "tokens": text.split()} for text in DOG],
    }
    cat = {"filename": "cat.jpg", "imgid": 1, "split": "train", "sentences": [{"raw": CAT[0]}]}
    return json.dumps({"images": [{**dog, **changes}, cat], "dataset": "flickr8k"})


TOKEN = f"dog.jpg#0\t{DOG[0]}\ncat.jpg#0\t{CAT[0]}\ndog.jpg#1\t{DOG[1]}\n"
TSV = f"image\tcaption\ndog.jpg\t{DOG[0]}\ndog.jpg\t{DOG[1]}\n\ncat.jpg\t{CAT[0]}\n"
CSV = f'caption,file_name\n{DOG[0]},dog.jpg\n"A ""brown"" dog, running",dog.jpg\n{CAT[0]},cat.jpg\n'
JSONL = "".join(
    json.dumps({"file_name": name, "text": text, "width": 3}) + "\n"
    for name, texts in (("dog.jpg", DOG), ("cat.jpg", CAT))
    for text in texts
)
KINDS: dict[str, Kind] = {
    "coco": ("captions_train2014.json", coco(), lambda p, f, **o: read_coco(p, f, "train", **o)),
    "karpathy": ("dataset_flickr8k.json", karpathy(), read_karpathy),
    "flickr30k": ("results_20130124.token", TOKEN, read_flickr30k),
    "tsv": ("captions.tsv", TSV, read_captions),
    "csv": ("captions.csv", CSV, read_captions),
    "jsonl": ("metadata.jsonl", JSONL, read_captions),
    "windows": ("captions.tsv", "\ufeff" + TSV.replace("\n", "\r\n"), read_captions),
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("dog.jpg", "cat.jpg"):
        (folder / name).touch()
    return folder


def write(images: Path, name: str, text: str) -> Path:
    path = images.parent / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_give_the_same(images: Path, kind: str) -> None:
    name, text, read = KINDS[kind]
    assert read(write(images, name, text), images) == [
        CaptionedImage(images / "dog.jpg", DOG, "train"),
        CaptionedImage(images / "cat.jpg", CAT, "train"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_images(images: Path, kind: str) -> None:
    name, text, read = KINDS[kind]
    path = write(images, name, text)
    (images / "dog.jpg").unlink()
    message = rf"{name}: 1 of 2 images are missing, .*dog\.jpg first"
    with pytest.raises(CaptionFileError, match=message):
        read(path, images)
    with pytest.warns(UserWarning, match=message):
        assert [image.path.name for image in read(path, images, missing="skip")] == ["cat.jpg"]
    (images / "cat.jpg").unlink()
    with (
        pytest.warns(UserWarning, match="2 of 2 images are missing"),
        pytest.raises(CaptionFileError, match="there is no image"),
    ):
        read(path, images, missing="skip")
    with pytest.raises(ValueError, match="missing: expected 'error' or 'skip', got 'ignore'"):
        read(path, images, missing="ignore")


@pytest.mark.parametrize("kind", KINDS)
def test_missing_file_and_binary_file(images: Path, kind: str) -> None:
    name, text, read = KINDS[kind]
    with pytest.raises(FileNotFoundError, match=f"{name}: no such file"):
        read(images / name, images)
    path = write(images, name, text)
    path.write_bytes(path.read_bytes().replace(b"dog", b"\xff\xfe", 1))
    with pytest.raises(CaptionFileError, match=f"{name}: expected UTF-8 text"):
        read(path, images)


def test_splits(images: Path) -> None:
    found = read_karpathy(write(images, "a.json", karpathy(split="restval")), images)
    assert [image.split for image in found] == ["restval", "train"]
    table = "image\tsplit\tcaption\ndog.jpg\ttest\tA dog\ncat.jpg\tval\tA cat\n"
    found = read_captions(write(images, "a.tsv", table), images)
    assert [image.split for image in found] == ["test", "val"]
    found = read_coco(write(images, "b.json", coco()), images, "val")
    assert {image.split for image in found} == {"val"}
    found = read_flickr30k(write(images, "c.token", TOKEN), images, "test")
    assert {image.split for image in found} == {"test"}


def test_cocos_folder_and_the_table_s_own(images: Path) -> None:
    path = write(images, "a.json", karpathy(filepath="train2014"))
    (images / "train2014").mkdir()
    (images / "dog.jpg").rename(images / "train2014" / "dog.jpg")
    assert read_karpathy(path, images)[0].path == images / "train2014" / "dog.jpg"
    table = write(images, "images/captions.csv", "image,caption\ncat.jpg,A cat\n")
    assert read_captions(table)[0].path == images / "cat.jpg"


DOG_ROW = {"id": 1, "file_name": "dog.jpg"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (coco()[:-3], "bad JSON at line 1, column"),
        (coco(images=[DOG_ROW, DOG_ROW]), r"images\[1\]: there was an image 1 before"),
        (coco(images=[{"id": 1}]), r"images\[0\]: expected an object with 'file_name'"),
        (coco(images=[{"id": [1], "file_name": "x"}]), r"images\[0\]: expected an id, got \[1\]"),
        (coco(images=[{"id": 1, "file_name": ""}]), r"images\[0\]: expected the name of an image"),
        (coco(images=["dog.jpg"]), r"images\[0\]: expected an object with 'id'"),
        (coco(images=[DOG_ROW]), "captions of image 2: there is no such image"),
        (
            coco(annotations=[{"id": 1, "image_id": 1, "caption": "a"}] * 2),
            r"annotations\[1\]: there was an annotation 1 before",
        ),
        (
            coco(annotations=[{"id": 1, "image_id": 1, "caption": " . "}]),
            r"annotations\[0\]: expected a caption of words, got ' \. '",
        ),
        (
            coco(annotations=[{"id": 1, "image_id": {}, "caption": "a"}]),
            r"annotations\[0\]: expected the id of an image, got \{\}",
        ),
        (
            coco(annotations=[{"id": 1, "image_id": 1, "caption": "a"}]),
            "image 2: has no caption",
        ),
    ],
)
def test_bad_coco(images: Path, text: str, message: str) -> None:
    path = write(images, "captions.json", text)
    with pytest.raises(CaptionFileError, match=rf"captions\.json: {message}"):
        read_coco(path, images, "train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (karpathy(filename="cat.jpg"), r"images\[1\]: there was an image 'cat.jpg' before"),
        (karpathy(split=None), r"images\[0\]: expected the name of a split, got None"),
        (karpathy(filepath=3), r"images\[0\]: expected a folder as 'filepath', got 3"),
        (karpathy(sentences="A dog"), r"images\[0\]: expected a list of 'sentences'"),
        (karpathy(sentences=[]), "image 'dog.jpg': has no caption"),
        (karpathy(sentences=[{"raw": ""}]), r"images\[0\]\.sentences\[0\]: expected a caption"),
        (karpathy(sentences=["A dog"]), r"images\[0\]\.sentences\[0\]: expected an object"),
    ],
)
def test_bad_karpathy(images: Path, text: str, message: str) -> None:
    path = write(images, "dataset.json", text)
    with pytest.raises(CaptionFileError, match=rf"dataset\.json: {message}"):
        read_karpathy(path, images)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog.jpg#0 A dog\n", "line 1: expected name#number, tab, caption, got 'dog.jpg#0 A dog"),
        (TOKEN + "\n", r"line 4: expected name#number, tab, caption, got '\\n'"),
        (TOKEN + "dog.jpg#0\tA dog\n", "line 4: there was a caption dog.jpg#0 before"),
        ("dog.jpg#0\t\n", "line 1: expected a caption of words, got ''"),
        ("", "there is no image"),
    ],
)
def test_bad_flickr30k(images: Path, text: str, message: str) -> None:
    path = write(images, "results.token", text)
    with pytest.raises(CaptionFileError, match=rf"results\.token: {message}"):
        read_flickr30k(path, images)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "image\tcaption\ndog.jpg\n", "line 2: expected 2 cells as in the header, got 1"),
        ("a.tsv", "name\tcaption\nx\ty\n", "line 2: expected a column 'image' or 'file_name', got"),
        ("a.csv", "image,words\nx,y\n", "line 2: expected a column 'caption' or 'text', got"),
        ("a.csv", 'image,caption\ndog.jpg,"A dog\n', "line 2: unexpected end of data"),
        ("a.csv", "image,caption\ndog.jpg,\n", "line 2: expected a caption of words, got ''"),
        ("a.csv", "image,caption\n,A dog\n", "line 2: expected the name of an image file, got ''"),
        (
            "a.csv",
            "image,caption,split\ndog.jpg,A dog,train\ndog.jpg,A dog,test\n",
            "line 3: dog.jpg is in split 'train' and in 'test'",
        ),
        ("a.csv", "", "there is no image"),
        ("a.jsonl", '{"image": "dog.jpg",\n', "line 1: bad JSON: .*column"),
        ("a.jsonl", "[1]\n", r"line 1: expected an object, got \[1\]"),
        ("a.jsonl", '{"image": 3, "caption": "x"}', "line 1: expected a text as 'image', got 3"),
    ],
)
def test_bad_tables(images: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(CaptionFileError, match=rf"{name}: {message}"):
        read_captions(write(images, name, text), images)


def test_another_suffix(images: Path) -> None:
    with pytest.raises(ValueError, match=r"path: expected a file of \.tsv, \.csv, \.jsonl, got"):
        read_captions(images / "captions.xlsx")
