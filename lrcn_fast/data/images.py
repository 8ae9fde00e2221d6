"""Image files, and the way of the LRCN release from pixels to what its CNNs take.

Pillow is looked for when a file is read, so importing this module needs torch alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lrcn_fast._files import StrPath

__all__ = [
    "BGR_MEAN",
    "ImageError",
    "caption_input",
    "crop_border",
    "random_crop",
    "read_image",
    "resize",
    "subtract_mean",
]

BGR_MEAN = (104.0, 117.0, 123.0)
"""Mean of blue, green and red in the release's caption nets, on the scale of 0 to 255."""
TRAINING_SIZE = 256
"""Height and width that training images are squeezed to before they are cropped."""
BORDER = (TRAINING_SIZE - 227) / TRAINING_SIZE / 2
"""Share of the height and width that captioning cuts off each side, whatever the net's size."""


class ImageError(RuntimeError):
    """A file that cannot be read as an image; the message names it."""


def _pillow() -> Any:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "reading images needs Pillow, which is not installed: pip install lrcn_fast[captions]"
        ) from error
    return Image, ImageOps


def read_image(path: StrPath) -> Tensor:
    """Read an image file as it is meant to be seen: turned by its EXIF orientation, in colour.

    Args:
        path: the file. Grey images get three equal channels; transparency is dropped.

    Returns:
        (3, Y, X) uint8, RGB.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: Pillow is not installed.
        ImageError: the file is empty, damaged, no image, too large to be one, or has more than
            8 bits a channel.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such image file")
    image_module, operations = _pillow()
    try:
        with image_module.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise ImageError(f"{path}: expected 8 bits a channel, got mode {file.mode}")
            picture = operations.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        raise ImageError(f"{path}: cannot be read as an image: {error}") from error
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return pixels.view(picture.height, picture.width, 3).permute(2, 0, 1)


def _check(image: Tensor) -> None:
    if image.dim() != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise ValueError(f"image: expected (3, Y, X), got {tuple(image.shape)}")


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale with bilinear weights between pixel centres and without smoothing, as Caffe does.

    Args:
        image: (3, Y, X), uint8 or floating.
        size: (Y', X') in pixels.

    Returns:
        (3, Y', X') of the same dtype; uint8 is rounded.
    """
    _check(image)
    if min(size) < 1:
        raise ValueError(f"size: expected (height, width) of at least 1, got {size}")
    exact = image if image.is_floating_point() else image.float()
    scaled = functional.interpolate(exact[None], size, mode="bilinear", align_corners=False)[0]
    return scaled if image.is_floating_point() else scaled.round().to(image.dtype)


def random_crop(image: Tensor, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Crop a square anywhere and mirror it half of the time, as the release trains.

    Args:
        image: (3, Y, X), :func:`resize`\\ d to 256 x 256 by the release.
        size: height and width of the crop: 227 for CaffeNet, 224 for VGG-16.
        generator: where the draws come from; torch's own by default.

    Returns:
        (3, size, size), a view or a copy.

    Raises:
        ValueError: the image is smaller than the crop.
    """
    _check(image)
    height, width = image.shape[1:]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size: expected 1 to {min(height, width)}, got {size}")
    top = int(torch.randint(height - size + 1, (), generator=generator))
    left = int(torch.randint(width - size + 1, (), generator=generator))
    crop = image[:, top : top + size, left : left + size]
    return crop.flip(-1) if int(torch.randint(2, (), generator=generator)) else crop


def crop_border(image: Tensor) -> Tensor:
    """Cut 5.66 % (29/512) of the height and width off each side, as the release captions."""
    _check(image)
    top, left = (int(length * BORDER + 0.5) for length in image.shape[1:])
    return image[:, top : image.shape[1] - top, left : image.shape[2] - left]


def subtract_mean(images: Tensor, mean: Sequence[float] = BGR_MEAN) -> Tensor:
    """Turn RGB pixels into what Caffe's nets take: BGR, 0 to 255, minus the mean.

    Args:
        images: (..., 3, Y, X), RGB on the scale of 0 to 255, uint8 or floating.
        mean: of blue, green and red.

    Returns:
        The same shape, float32 unless ``images`` was floating.
    """
    if images.dim() < 3 or images.shape[-3] != 3 or len(mean) != 3:
        raise ValueError(
            f"images: expected (..., 3, Y, X) and 3 means, "
            f"got {tuple(images.shape)} and {len(mean)}"
        )
    exact = images if images.is_floating_point() else images.float()
    return exact.flip(-3) - exact.new_tensor(mean)[:, None, None]


def caption_input(image: Tensor, size: int, mean: Sequence[float] = BGR_MEAN) -> Tensor:
    """Prepare an image to be captioned: border off, scaled to the net's size, BGR minus the mean.

    Args:
        image: (3, Y, X) uint8, RGB, as :func:`read_image` returns it.
        size: height and width of the net's input.
        mean: of blue, green and red.

    Returns:
        (3, size, size) float32 (the release's ``preprocess_image``).
    """
    return subtract_mean(resize(crop_border(image).float(), (size, size)), mean)
