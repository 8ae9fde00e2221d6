"""What is measured: the paper's CNNs on the frames of clips, padded clips, a training step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lrcn_fast.models import ActivityConfig
from lrcn_fast.nn.conv_net import ConvNet

CLASSES = 101

CHECKED_STEPS = 4
"""T of the check against float64, whose convolutions are slow."""


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        name: identifier that ``--filter`` matches.
        net: class of the CNN in ``lrcn_fast.nn``; fc6 is what it returns.
        steps: T.
        batch: B.
        lengths: of the clips, where some are padded.
        mode: features without gradients, or forward and backward of the activity model.
        large: measured when asked for by name only.
        width: of the CNN.
        image_size: (Y, X) of the frames; the CNN's own when None.
    """

    name: str
    net: str
    steps: int
    batch: int
    lengths: tuple[int, ...] | None = None
    mode: Literal["inference", "training"] = "inference"
    large: bool = False
    width: float = 1.0
    image_size: tuple[int, int] | None = None

    @property
    def frames(self) -> int:
        """Frames that count."""
        return sum(self.lengths) if self.lengths else self.steps * self.batch

    @property
    def padding(self) -> float:
        """Share of the frames that do not count."""
        return 1 - self.frames / (self.steps * self.batch)

    @property
    def label(self) -> str:
        """Sizes in one short line."""
        text = f"{self.net} T={self.steps} B={self.batch}"
        return f"{text}, {self.padding:.0%} padding" if self.lengths else text

    @property
    def checked(self) -> Case:
        """The first steps, on which the results are compared with float64."""
        steps = min(self.steps, CHECKED_STEPS)
        lengths = self.lengths and tuple(min(length, steps) for length in self.lengths)
        return replace(self, steps=steps, lengths=lengths)

    @property
    def config(self) -> ActivityConfig:
        """The activity model on this CNN, without dropout: its masks would not be the peers'."""
        return ActivityConfig(
            CLASSES,
            self.net,
            self.width,
            image_size=self.image_size,
            feature_dropout=0.0,
            output_dropout=0.0,
            lstm_filler=None,
        )


CASES = (
    Case("caffenet-fc6", "CaffeNet", 16, 1),
    Case("hybrid-fc6", "HybridNet", 16, 1),
    Case("hybrid-ragged", "HybridNet", 8, 4, lengths=(8, 5, 4, 2)),
    Case("activity-step", "HybridNet", 4, 2, mode="training"),
    Case("caffenet-fc6-256", "CaffeNet", 16, 16, large=True),
    Case("hybrid-fc6-256", "HybridNet", 16, 16, large=True),
)


def cases(pattern: str = "") -> Iterator[Case]:
    """Rows whose name has one of the comma-separated parts in it; large ones by full name only."""
    parts = [part.strip() for part in pattern.split(",") if part.strip()]
    for case in CASES:
        if case.name in parts or (
            not case.large and any(part in case.name for part in parts or [""])
        ):
            yield case


@dataclass(frozen=True)
class Work:
    """What one frame costs at least, fc6 included.

    Attributes:
        multiplications: multiply-adds of all products.
        values: that are read or written when every layer, with the ReLU, pooling and normalisation
            behind it, reads its input once and writes its output once. Weights are not counted.
    """

    multiplications: int
    values: int

    @classmethod
    def of(cls, net: ConvNet) -> Work:
        """Of a net that returns fc6."""
        channels, sizes = net.in_channels, net.image_size
        multiplications, passed = 0, [channels * sizes[0] * sizes[1]]
        for layer in net.layers:
            height, width = (layer.conv_size(size) for size in sizes)
            filters = channels // layer.groups * layer.kernel**2
            multiplications += layer.channels * height * width * filters
            channels, sizes = layer.channels, tuple(layer.output_size(size) for size in sizes)
            passed.append(channels * sizes[0] * sizes[1])
        multiplications += passed[-1] * net.feature_size
        passed.append(net.feature_size)
        return cls(multiplications, sum(passed[:-1]) + sum(passed[1:]))
