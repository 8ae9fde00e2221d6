"""Sizes of the captioners and of the language model, and their form in a checkpoint."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["IMAGE_LAYERS", "CaptionerConfig"]

FILLER = 0.08
IMAGE_LAYERS = {"1u": (1, 0), "2u": (2, 0), "2f": (2, 1), "4f": (4, 2), "lm": (1, None)}
"""LSTM layers of each variant, and the one that the image enters, None where none does."""


@dataclass(frozen=True)
class CaptionerConfig:
    """Sizes of a :class:`Captioner`.

    Attributes:
        vocabulary_size: V, with word 0, which begins and ends every sentence.
        variant: ``"1u"``, ``"2u"``: one or two layers, the image enters the first; ``"2f"``,
            ``"4f"``: two or four layers, the image enters the upper half; ``"lm"``: one layer
            that sees no image, the language model.
        embed_size: E, width of a word's embedding.
        hidden_size: H of every LSTM.
        image_size: S, width of the image feature; the language model ignores it.
        dropout: after the embedding and before the words' scores, in training; the released
            language model has 0.5.
        filler: all weights are drawn from U(-x, x); biases are zero.
    """

    vocabulary_size: int
    variant: str = "2f"
    embed_size: int = 1000
    hidden_size: int = 1000
    image_size: int = 1000
    dropout: float = 0.0
    filler: float = FILLER

    def __post_init__(self) -> None:
        if self.variant not in IMAGE_LAYERS:
            raise ValueError(
                f"variant: expected one of {', '.join(IMAGE_LAYERS)}, got {self.variant!r}"
            )
        for name in ("vocabulary_size", "embed_size", "hidden_size", "image_size"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected 0 <= p < 1, got {self.dropout}")
        if not self.filler > 0:
            raise ValueError(f"filler: expected a number above 0, got {self.filler}")

    @property
    def num_layers(self) -> int:
        """L, the number of LSTM layers."""
        return IMAGE_LAYERS[self.variant][0]

    @property
    def image_layer(self) -> int | None:
        """The layer that the image enters, counted from 0; None in the language model."""
        return IMAGE_LAYERS[self.variant][1]

    def to_dict(self) -> dict[str, Any]:
        """Numbers and strings only, as JSON wants it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CaptionerConfig":
        """The inverse of :meth:`to_dict`."""
        return cls(**values)
