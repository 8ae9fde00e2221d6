"""What the commands on image files share."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lrcn_fast.models import Captioner, Preprocessing, Vocabulary
from lrcn_fast.training.captioning import image_features

__all__ = ["IMAGE_FILES", "features_of", "image_files", "load"]

IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and those of the folders that are.

    Raises:
        FileNotFoundError: there is no such file or folder, or a folder has no image.
    """
    files = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such image file or folder")
        found = [path]
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_FILES)
        if not found:
            raise FileNotFoundError(f"{path}: no image in this folder ({', '.join(IMAGE_FILES)})")
        files += found
    return files


def load(model: Path, device: str) -> tuple[Captioner, Vocabulary, Preprocessing]:
    """A captioner with an encoder, on a device.

    Raises:
        RuntimeError: it has no encoder; otherwise as :meth:`Captioner.from_pretrained`.
    """
    captioner, vocabulary, preprocessing = Captioner.from_pretrained(model)
    if captioner.encoder is None or preprocessing is None:
        raise RuntimeError(f"{model}: the captioner has no encoder, so it cannot see image files")
    return captioner.to(torch.device(device)), vocabulary, preprocessing


def features_of(
    captioner: Captioner, files: Sequence[Path], preprocessing: Preprocessing
) -> Tensor:
    """Features (B, S) of image files by the captioner's own encoder."""
    assert captioner.encoder is not None
    return image_features(captioner.encoder, files, preprocessing)
