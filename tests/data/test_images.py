"""Image files are read as they are seen, and prepared as the release does."""

import sys
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from lrcn_fast.data import (
    BGR_MEAN,
    ImageError,
    caption_input,
    crop_border,
    random_crop,
    read_image,
    resize,
    subtract_mean,
)
from tests.helpers.tolerance import assert_equal_to_oracle, assert_no_worse_than_torch

ORIENTATION = 0x0112
TURNED_RIGHT = 6


def picture(height: int = 6, width: int = 8, channels: int = 3) -> numpy.ndarray:
    generator = numpy.random.default_rng(0)
    shape = (height, width, channels)[: 3 if channels > 1 else 2]
    return generator.integers(0, 256, shape, dtype=numpy.uint8)


def save(path: Path, pixels: numpy.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear weights between pixel centres as two float64 products."""
    result = image.double()
    for dim, length in zip((1, 2), size):
        count = image.shape[dim]
        centre = ((torch.arange(length).double() + 0.5) * count / length - 0.5).clamp(0, count - 1)
        low = centre.floor().long()
        high = (low + 1).clamp(max=count - 1)
        shape = (-1, 1) if dim == 1 else (-1,)
        share = (centre - low).view(shape)
        result = (
            result.index_select(dim, low) * (1 - share) + result.index_select(dim, high) * share
        )
    return result


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp"])
def test_colours_and_places(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(picture()).save(path, lossless=True)
    image = read_image(path)
    assert image.dtype == torch.uint8
    assert image.shape == (3, 6, 8)
    assert torch.equal(image, torch.from_numpy(picture()).permute(2, 0, 1))


def test_grey_transparent_and_palette_images(tmp_path: Path) -> None:
    grey = read_image(save(tmp_path / "grey.png", picture(channels=1)))
    assert torch.equal(grey, torch.from_numpy(picture(channels=1)).expand(3, 6, 8))
    clear = read_image(save(tmp_path / "clear.png", picture(channels=4)))
    assert torch.equal(clear, torch.from_numpy(picture(channels=4)[..., :3]).permute(2, 0, 1))
    Image.fromarray(picture()).quantize(4).save(tmp_path / "palette.gif")
    assert read_image(tmp_path / "palette.gif").shape == (3, 6, 8)


def test_orientation_is_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    Image.fromarray(picture()).save(tmp_path / "turned.png", exif=exif)
    upright = torch.from_numpy(picture()).permute(2, 0, 1).rot90(-1, (1, 2))
    assert torch.equal(read_image(tmp_path / "turned.png"), upright)


@pytest.mark.parametrize("content", [b"", b"this is no image" * 50, b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"broken\.jpg: cannot be read as an image"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"cut{suffix}", picture(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=rf"cut\{suffix}: cannot be read"):
        read_image(path)


def test_missing_deep_and_huge_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg: no such image file"):
        read_image(tmp_path / "nowhere.jpg")
    path = save(tmp_path / "deep.png", picture(channels=1).astype(numpy.uint16) * 256)
    with pytest.raises(ImageError, match=r"deep\.png: expected 8 bits a channel, got mode I;16"):
        read_image(path)
    path = save(tmp_path / "huge.png", picture())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ImageError, match=r"huge\.png: cannot be read"):
        read_image(path)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "picture.png", picture())
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install lrcn_fast\[captions\]"):
        read_image(path)


@given(*[st.integers(1, 12) for _ in range(4)])
def test_scaling_is_bilinear(height: int, width: int, new_height: int, new_width: int) -> None:
    image = torch.from_numpy(picture(height, width)).permute(2, 0, 1)
    size = (new_height, new_width)
    assert_equal_to_oracle(resize(image.double(), size), bilinear(image, size), "resized")
    rounded = resize(image, size)
    assert rounded.dtype == torch.uint8
    assert torch.equal(resize(image, (height, width)), image)
    assert torch.equal(rounded, resize(image.float(), size).round().to(torch.uint8))


@given(st.integers(3, 12), st.integers(3, 12), st.integers(1, 3), st.integers(0, 99))
def test_crops_are_parts_of_the_image(height: int, width: int, size: int, seed: int) -> None:
    image = torch.arange(height * width).view(1, height, width).expand(3, -1, -1)
    crop = random_crop(image, size, torch.Generator().manual_seed(seed))
    assert crop.shape == (3, size, size)
    again = random_crop(image, size, torch.Generator().manual_seed(seed))
    assert torch.equal(crop, again)
    upright = crop[0] if size == 1 or crop[0, 0, 1] > crop[0, 0, 0] else crop[0].flip(-1)
    top, left = divmod(int(upright[0, 0]), width)
    assert torch.equal(upright, image[0, top : top + size, left : left + size])


def test_crops_are_everywhere_and_half_are_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.arange(12).view(1, 3, 4).expand(3, -1, -1)
    crops = [random_crop(image, 2, generator)[0] for _ in range(400)]
    mirrored = sum(int(crop[0, 0] > crop[0, 1]) for crop in crops)
    assert 150 < mirrored < 250
    assert {int(crop.min()) for crop in crops} == {0, 1, 2, 4, 5, 6}


@pytest.mark.parametrize(
    ("size", "border"), [((256, 256), (15, 15)), ((480, 640), (27, 36)), ((8, 9), (0, 1))]
)
def test_the_border_of_the_release(size: tuple[int, int], border: tuple[int, int]) -> None:
    image = torch.from_numpy(picture(*size)).permute(2, 0, 1)
    (top, left), (height, width) = border, size
    assert torch.equal(crop_border(image), image[:, top : height - top, left : width - left])


def test_blue_comes_first_and_the_mean_is_gone() -> None:
    image = torch.zeros(2, 3, 1, 1, dtype=torch.uint8)
    image[:, 0], image[:, 2] = 255, 10
    assert subtract_mean(image).flatten(1).tolist() == [[10 - 104, -117, 255 - 123]] * 2
    assert subtract_mean(image.double(), (0, 1, 2))[0].flatten().tolist() == [10, -1, 253]
    assert subtract_mean(image).dtype == torch.float32
    assert BGR_MEAN == (104, 117, 123)


def test_caption_input_is_border_scale_and_mean() -> None:
    image = torch.from_numpy(picture(30, 50)).permute(2, 0, 1)
    inner = image[:, 2:28, 3:47].flip(0)
    mean = torch.tensor(BGR_MEAN)[:, None, None]
    torch_result = interpolate(inner[None].float(), (7, 7), mode="bilinear")[0] - mean
    exact = bilinear(inner, (7, 7)) - mean
    assert_no_worse_than_torch(caption_input(image, 7), torch_result, exact, "input")


@pytest.mark.parametrize("image", [torch.zeros(4, 5), torch.zeros(1, 4, 5), torch.zeros(3, 0, 5)])
def test_bad_images(image: Tensor) -> None:
    for call in (crop_border, lambda i: resize(i, (2, 2)), lambda i: random_crop(i, 1)):
        with pytest.raises(ValueError, match=r"image: expected \(3, Y, X\)"):
            call(image)


def test_bad_arguments() -> None:
    image = torch.zeros(3, 4, 5)
    with pytest.raises(ValueError, match="size: expected"):
        resize(image, (0, 4))
    for size in (0, 5):
        with pytest.raises(ValueError, match=f"size: expected 1 to 4, got {size}"):
            random_crop(image, size)
    for images, mean in ((torch.zeros(1, 4, 5), BGR_MEAN), (image, (1.0,))):
        with pytest.raises(ValueError, match=r"images: expected \(\.\.\., 3, Y, X\) and 3 means"):
            subtract_mean(images, mean)
