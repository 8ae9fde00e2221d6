"""Sizes and presets of the activity networks, and their form in a checkpoint."""

from dataclasses import asdict, dataclass
from typing import Any

from lrcn_fast.models.cnn import CNNConfig, ConvLayer

__all__ = ["ActivityConfig"]

LSTM_FILLER = 0.01


@dataclass(frozen=True)
class ActivityConfig:
    """Sizes of an :class:`ActivityRecognizer` or a :class:`FrameClassifier`.

    Attributes:
        classes: number of classes.
        cnn: the CNN's sizes.
        hidden_size: H of the LSTM; of the baseline's fc7.
        num_layers: L of the LSTM; the baseline ignores it.
        feature_dropout: dropout after fc6.
        output_dropout: dropout after the LSTM, or after the baseline's fc7.
        lstm_filler: LSTM weights are drawn from U(-x, x) and its biases are zero; None leaves
            torch's own initialisation.
    """

    classes: int
    cnn: CNNConfig
    hidden_size: int = 256
    num_layers: int = 1
    feature_dropout: float = 0.9
    output_dropout: float = 0.5
    lstm_filler: float | None = LSTM_FILLER

    def __post_init__(self) -> None:
        for name in ("classes", "hidden_size", "num_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("feature_dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 0 <= p < 1, got {getattr(self, name)}")

    @classmethod
    def paper(cls, classes: int = 101, hidden_size: int = 256) -> "ActivityConfig":
        """The released network: hyb2 at 227 pixels, fc6 4096, LSTM 256, dropout 0.9 and 0.5."""
        return cls(classes=classes, cnn=CNNConfig.hyb2(), hidden_size=hidden_size)

    @classmethod
    def small(
        cls,
        classes: int,
        *,
        image_size: tuple[int, int] = (32, 32),
        in_channels: int = 3,
        fc6: int = 128,
        hidden_size: int = 128,
    ) -> "ActivityConfig":
        """A network that trains from scratch on a CPU in a minute or so."""
        return cls(
            classes=classes,
            cnn=CNNConfig.small(fc6, image_size, in_channels),
            hidden_size=hidden_size,
            feature_dropout=0.0,
            output_dropout=0.0,
            lstm_filler=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dicts only, as JSON and ``weights_only`` loading want it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ActivityConfig":
        """The inverse of :meth:`to_dict`, also after a trip through JSON."""
        cnn = dict(values["cnn"])
        cnn["layers"] = tuple(ConvLayer(**layer) for layer in cnn["layers"])
        cnn["image_size"] = tuple(cnn["image_size"])
        return cls(**{**values, "cnn": CNNConfig(**cnn)})
