"""Sizes and presets of the activity networks, and their form in a checkpoint."""

from dataclasses import asdict, dataclass
from typing import Any

from lrcn_fast.models.small_net import SmallNet
from lrcn_fast.nn import VGG16, CaffeNet, HybridNet
from lrcn_fast.nn.conv_net import ConvNet

__all__ = ["ActivityConfig"]

LSTM_FILLER = 0.01

NETS: dict[str, type[ConvNet]] = {
    net.__name__: net for net in (HybridNet, CaffeNet, VGG16, SmallNet)
}


@dataclass(frozen=True)
class ActivityConfig:
    """Sizes of an :class:`ActivityRecognizer` or a :class:`FrameClassifier`.

    Attributes:
        classes: number of classes.
        net: the CNN: ``"HybridNet"``, ``"CaffeNet"``, ``"VGG16"`` or ``"SmallNet"``.
        width: factor on the CNN's channels, and on fc6 where that is not given.
        fc6: outputs of fc6, the LSTM's input; the CNN's own when None.
        image_size: (Y, X) of the frames in pixels; the CNN's own when None.
        in_channels: C of the frames.
        hidden_size: H of the LSTM; of the baseline's fc7.
        num_layers: L of the LSTM; the baseline ignores it.
        feature_dropout: dropout after fc6; the baseline takes ``output_dropout`` there.
        output_dropout: dropout after the LSTM, or after the baseline's fc7.
        lstm_filler: LSTM weights are drawn from U(-x, x) and its biases are zero; None leaves
            torch's own initialisation.
    """

    classes: int
    net: str = "HybridNet"
    width: float = 1.0
    fc6: int | None = None
    image_size: tuple[int, int] | None = None
    in_channels: int = 3
    hidden_size: int = 256
    num_layers: int = 1
    feature_dropout: float = 0.9
    output_dropout: float = 0.5
    lstm_filler: float | None = LSTM_FILLER

    def __post_init__(self) -> None:
        if self.net not in NETS:
            raise ValueError(f"net: expected one of {sorted(NETS)}, got {self.net!r}")
        for name in ("classes", "hidden_size", "num_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("feature_dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 0 <= p < 1, got {getattr(self, name)}")

    @classmethod
    def paper(cls, classes: int = 101, hidden_size: int = 256) -> "ActivityConfig":
        """The released network: hybrid net at 227 pixels, LSTM 256, dropout 0.9 and 0.5."""
        return cls(classes=classes, hidden_size=hidden_size)

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
            net=SmallNet.__name__,
            fc6=fc6,
            image_size=image_size,
            in_channels=in_channels,
            hidden_size=hidden_size,
            feature_dropout=0.0,
            output_dropout=0.0,
            lstm_filler=None,
        )

    def build_net(self, features: str, **options: Any) -> ConvNet:
        """The CNN that returns ``features``, with further options of its own."""
        return NETS[self.net](
            features,
            width=self.width,
            fc6=self.fc6,
            image_size=self.image_size,
            in_channels=self.in_channels,
            **options,
        )

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dicts only, as JSON and ``weights_only`` loading want it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ActivityConfig":
        """The inverse of :meth:`to_dict`, also after a trip through JSON."""
        size = values["image_size"]
        return cls(**{**values, "image_size": None if size is None else tuple(size)})
