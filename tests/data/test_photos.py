"""The captions of the photos keep their form, and photos are found wherever packages keep them."""

import hashlib
import io
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lrcn_fast.data import Vocabulary, read_captions, tokenize

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SITE, ROOT = "skimage/data/cat.png", "usr/share/doc/opencv-doc/examples/data/dog.jpg"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import photos

    return photos


@pytest.fixture
def pair(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two small photos instead of the real ones."""
    photos = [
        module.Photo("scikit-image", "1", SITE, digest(b"cat"), "train", ("A cat",) * 5),
        module.Photo("opencv-doc", "1", ROOT, digest(b"dog"), "test", ("A dog",) * 5),
    ]
    monkeypatch.setattr(module, "load_photos", lambda: photos)
    return photos


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder: Path, data: bytes) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "scikit_image-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("skimage/__init__.py", "")
        wheel.writestr(SITE, data)


def write_deb(folder: Path, data: bytes) -> None:
    """A .deb is an ar archive of three members, each with a header of 60 characters."""
    folder.mkdir(exist_ok=True)
    parts = [b"!<arch>\n"]
    for name, member, content in (
        ("control.tar", "./control", b"Package: opencv-doc\nVersion: 1\nArchitecture: all\n"),
        ("data.tar", f"./{ROOT}", data),
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        parts += [ar_header(name, buffer.tell()), buffer.getvalue()]
    parts[1:1] = [ar_header("debian-binary", 4), b"2.0\n"]
    (folder / "opencv-doc_1_all.deb").write_bytes(b"".join(parts))


def ar_header(name: str, size: int) -> bytes:
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n".encode()


def test_captions_have_their_form(module: ModuleType) -> None:
    photos = module.load_photos()
    texts = [text for photo in photos for text in photo.captions]
    assert len(photos) >= 60
    assert all(len(photo.captions) == 5 for photo in photos)
    assert max(Counter(texts).values()) == 1
    for text in texts:
        assert 8 <= len(tokenize(text)) <= 14, text
        assert text[0].isupper() and text.endswith("."), text
    assert len({photo.name for photo in photos}) == len({photo.sha256 for photo in photos})
    assert Counter(photo.split for photo in photos)["test"] >= 10
    assert {photo.split for photo in photos} == {"train", "test"}


def test_held_out_captions_use_words_of_the_training(module: ModuleType) -> None:
    photos = module.load_photos()
    train = [text for photo in photos if photo.split == "train" for text in photo.captions]
    vocabulary = Vocabulary.build(train, min_count=1)
    tokens = [
        token
        for photo in photos
        if photo.split == "test"
        for text in photo.captions
        for token in vocabulary.encode(text)
    ]
    assert tokens.count(1) < len(tokens) / 10


def test_installed_files_are_found(
    module: ModuleType, pair: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    (installed / SITE).parent.mkdir(parents=True)
    (installed / SITE).write_bytes(b"cat")
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    assert module.collect(tmp_path / "out", None) == pair[1:]
    (image,) = read_captions(tmp_path / "out" / "captions.tsv")
    assert image.path.read_bytes() == b"cat"
    assert (image.captions, image.split) == (("A cat",) * 5, "train")


def test_wheels_and_debs_are_opened(module: ModuleType, pair: list[Any], tmp_path: Path) -> None:
    write_wheel(tmp_path / "packages", b"cat")
    write_deb(tmp_path / "packages", b"dog")
    assert module.collect(tmp_path / "out", tmp_path / "packages") == []
    images = read_captions(tmp_path / "out" / "captions.tsv")
    assert [image.path.read_bytes() for image in images] == [b"dog", b"cat"]
    assert [image.split for image in images] == ["test", "train"]


def test_no_deb(module: ModuleType, pair: list[Any], tmp_path: Path) -> None:
    (tmp_path / "opencv-doc_1_all.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(ValueError, match=r"opencv-doc_1_all\.deb: no \.deb"):
        module.collect(tmp_path / "out", tmp_path)


def test_another_picture_of_that_name_does_not_count(
    module: ModuleType, pair: list[Any], tmp_path: Path
) -> None:
    write_wheel(tmp_path / "packages", b"another cat")
    assert module.collect(tmp_path / "out", tmp_path / "packages") == pair


def test_downloads_are_asked_for_once_by_name(
    module: ModuleType, pair: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], cwd: Path, check: bool) -> None:
        asked.append(command)
        (write_deb if command[0] == "apt-get" else write_wheel)(cwd, b"dog")

    monkeypatch.setattr(module.subprocess, "run", run)
    assert module.collect(tmp_path / "out", tmp_path / "new", may_download=True) == pair[:1]
    assert [command[-1] for command in asked] == ["opencv-doc", "scikit-image"]
    assert module.collect(tmp_path / "out", tmp_path / "new", may_download=True) == pair[:1]
    assert len(asked) == 2
