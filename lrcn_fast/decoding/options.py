"""What all ways of decoding share: checks of their options, and images in pieces."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lrcn_fast._arguments import describe
from lrcn_fast.models import Captioner

__all__ = ["Limits", "check_captioner", "check_count", "image_pieces", "may_look"]

# Rows that are run together, and values of one step's scores that may be in memory at once.
_MOST_ROWS = 1024
_MOST_SCORES = 1 << 25

# To look whether all sentences are finished waits for a GPU.
_STEPS_WITHOUT_LOOKING = 8


def check_captioner(captioner: object) -> Captioner:
    """Return ``captioner`` if it is one."""
    if not isinstance(captioner, Captioner):
        raise TypeError(f"captioner: expected a Captioner, got {describe(captioner)}")
    return captioner


def check_count(name: str, value: object, least: int = 1) -> None:
    """Check that an option is an integer of at least ``least``."""
    if type(value) is not int or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {describe(value)}")


def may_look(step: int, device: torch.device) -> bool:
    """Whether to look, before a step, if all sentences are finished; never within a capture."""
    if device.type == "cpu":
        return True
    looks = step > 0 and step % _STEPS_WITHOUT_LOOKING == 0
    return looks and not torch.cuda.is_current_stream_capturing()


class Limits:
    """Which words a sentence may have.

    Args:
        captioner: whose vocabulary it is.
        max_length: tokens of a sentence, the 0 at its end counted.
        min_length: words before a sentence may end.
        forbidden: words that never come up.

    Raises:
        ValueError: an option is out of range, or no word is left.
    """

    def __init__(
        self, captioner: Captioner, max_length: int, min_length: int, forbidden: Sequence[int]
    ) -> None:
        check_count("max_length", max_length)
        check_count("min_length", min_length, 0)
        if min_length > max_length:
            raise ValueError(
                f"min_length: expected at most max_length = {max_length}, got {min_length}"
            )
        size = captioner.config.vocabulary_size
        for word in forbidden:
            if type(word) is not int or not 0 <= word < size:
                raise ValueError(
                    f"forbidden: expected words within 0..{size - 1}, got {describe(word)}"
                )
        late = frozenset(forbidden)
        if len(late | {0} if min_length else late) == size:
            raise ValueError("forbidden: expected to leave a word of the vocabulary, left none")
        self.key = (min_length, late)
        self._min_length = min_length
        mask = torch.zeros(size, dtype=torch.bool, device=captioner.predict.weight.device)
        if late:
            mask[sorted(late)] = True
        self._late = mask if late else None
        self._early = mask.clone()
        self._early[0] = True

    def forbidden(self, step: int) -> Tensor | None:
        """(V,), True for what may not be the word number ``step``; None where all may."""
        return self._early if step < self._min_length else self._late

    def forbidden_at(self, step: Tensor) -> Tensor | None:
        """The same for a step (1,) that the device alone knows."""
        if not self._min_length:
            return self._late
        late = torch.zeros_like(self._early) if self._late is None else self._late
        return torch.where(step < self._min_length, self._early, late)


def image_pieces(
    captioner: Captioner, images: Tensor | None, rows: int, batch_size: int | None
) -> Iterator[tuple[Tensor | None, int]]:
    """Cut images into pieces that are decoded together, and make features of them.

    Args:
        captioner: its encoder makes features of pixels.
        images: (B, S) or (B, C, Y, X); None for the language model.
        rows: of an image.
        batch_size: images in a piece; as many as fit into a bounded memory when None.

    Yields:
        Feature (b, S) and b; None and 1 for the language model.
    """
    if batch_size is None:
        most = min(_MOST_ROWS, _MOST_SCORES // captioner.config.vocabulary_size)
        batch_size = max(1, most // rows)
    check_count("batch_size", batch_size)
    pieces: Sequence[Tensor | None] = [None]
    if isinstance(images, Tensor) and images.dim() > 0:
        pieces = images.split(batch_size)
    for piece in pieces:
        feature = captioner.image_feature(piece)
        if feature is None:
            yield None, 1
        else:
            yield feature.to(captioner.predict.weight.dtype), feature.shape[0]
