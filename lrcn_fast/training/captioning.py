"""Training of captioners on images and captions, as the LRCN release does it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lrcn_fast.data import (
    CaptionBatches,
    CaptionedImage,
    caption_input,
    random_crop,
    read_image,
    resize,
    subtract_mean,
)
from lrcn_fast.models import Captioner, Preprocessing
from lrcn_fast.training.loop import Objective, Progress

__all__ = ["CaptionBatchReader", "caption_groups", "caption_objective", "image_features"]

LOSS_WEIGHT = 20.0
"""The release's weight of the mean loss of a word."""
BIAS_RATE = 2.0
"""The release's factor on the learning rate of biases of ``predict`` and of the CNN."""
SQUEEZED, CROPPED = 256, 227
"""Training images are squeezed to so many pixels for a crop of so many."""
CACHED = 1024
IMAGES_AT_ONCE = 32


def caption_groups(captioner: Captioner, encoder_rate: float = 0.1) -> list[dict[str, Any]]:
    """The parameters that train, with the release's factors on their learning rate.

    Args:
        captioner: its frozen parameters are left out.
        encoder_rate: factor on the rate of the encoder's weights.

    Returns:
        Groups for :class:`lrcn_fast.training.CaffeSGD`.
    """
    groups = []
    for name, parameter in captioner.named_parameters():
        in_encoder = name.startswith("encoder.")
        doubled = name.endswith(".bias") and (in_encoder or name.startswith("predict."))
        rate = (encoder_rate if in_encoder else 1.0) * (BIAS_RATE if doubled else 1.0)
        if parameter.requires_grad:
            groups.append({"params": [parameter], "lr_mult": rate})
    return groups


def caption_objective(captioner: Captioner, loss_weight: float = LOSS_WEIGHT) -> Objective:
    """Weighted mean loss of the words of a batch of :class:`CaptionBatchReader`."""

    def objective(batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        words, cont, targets, images, places = batch
        feature = captioner.image_feature(images)
        assert feature is not None
        loss = captioner.loss(words, cont, feature[places], targets)
        return loss_weight * loss, {"loss": loss}

    return objective


@torch.no_grad()
def image_features(
    encoder: nn.Module,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> Tensor:
    """Features of image files as they are captioned: (B, S), computed in evaluation mode.

    Args:
        encoder: images (B, 3, Y, X) to features.
        paths: the files.
        preprocessing: what images go through.
        progress: a progress bar over the files.

    Raises:
        FileNotFoundError, ImportError, ImageError: as in :func:`lrcn_fast.data.read_image`.
    """
    device = next(encoder.parameters()).device
    training = encoder.training
    encoder.eval()
    pieces = []
    for first in range(0, len(paths), IMAGES_AT_ONCE):
        images = [
            caption_input(read_image(path), preprocessing.size, preprocessing.mean)
            for path in paths[first : first + IMAGES_AT_ONCE]
        ]
        pieces.append(encoder(torch.stack(images).to(device)))
        if progress is not None:
            progress.update(len(images))
    encoder.train(training)
    return torch.cat(pieces)


class CaptionBatchReader:
    """Step number to words, cont, targets, images and the place of each caption's image.

    An image that several captions of a batch belong to is read once. All that is drawn at a step,
    dropout included, comes from the step's own seed, so training can go on from any step.

    Args:
        batches: the captions.
        images: what they belong to.
        preprocessing: what images go through.
        features: (B, S) of all images, where the encoder is frozen; None to read pixels.
        augment: crop and mirror pixels at random, as the release trains, instead of taking them as
            they are captioned.
        seed: of all draws.
        device: of the tensors.
    """

    def __init__(
        self,
        batches: CaptionBatches,
        images: Sequence[CaptionedImage],
        preprocessing: Preprocessing,
        *,
        features: Tensor | None = None,
        augment: bool = True,
        seed: int = 1701,
        device: torch.device | str = "cpu",
    ) -> None:
        self.batches, self.images, self.preprocessing = batches, images, preprocessing
        self.features, self.augment, self.seed, self.device = features, augment, seed, device
        self._read = lru_cache(CACHED)(self._read_image)

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        torch.manual_seed(self.seed + step)
        batch = self.batches[step % len(self.batches)]
        numbers, places = batch.images.unique(return_inverse=True)
        if self.features is not None:
            images = self.features[numbers.to(self.features.device)]
        else:
            images = torch.stack([self._pixels(number) for number in numbers.tolist()])
        values = (batch.words, batch.cont, batch.targets, images, places)
        return tuple(value.to(self.device) for value in values)

    def _read_image(self, number: int) -> Tensor:
        image, size = read_image(self.images[number].path), self.preprocessing.size
        if not self.augment:
            return caption_input(image, size, self.preprocessing.mean)
        squeezed = round(size * SQUEEZED / CROPPED)
        return resize(image, (squeezed, squeezed))

    def _pixels(self, number: int) -> Tensor:
        image = self._read(number)
        if not self.augment:
            return image
        return subtract_mean(random_crop(image, self.preprocessing.size), self.preprocessing.mean)
