"""What is measured: shapes from the LRCN paper, long sequences, single steps, and their modes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["inference", "training", "step"]
DTYPES = ("float32", "float64", "bfloat16", "float16")
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Shape:
    """Sizes of one LSTM stack: T, B, I, H, L and the number of directions.

    ``cell`` selects LSTMCell instead of LSTM; it has one layer, one direction and one step.
    """

    name: str
    steps: int
    batch: int
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    cell: bool = False

    def __post_init__(self) -> None:
        if self.cell and (self.steps != 1 or self.num_layers != 1 or self.bidirectional):
            raise ValueError(f"{self.name}: a cell has one step, one layer and one direction")

    @property
    def directions(self) -> int:
        """D: 2 when bidirectional, otherwise 1."""
        return 2 if self.bidirectional else 1

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Single steps are inference with a carried state; sequences are inferred and trained."""
        return ("step",) if self.steps == 1 else ("inference", "training")

    @property
    def label(self) -> str:
        """Sizes in one short line, for tables and plots."""
        text = f"B={self.batch} I={self.input_size} H={self.hidden_size}"
        text = f"LSTMCell {text}" if self.cell else f"T={self.steps} {text}"
        if self.num_layers > 1:
            text += f" L={self.num_layers}"
        return text + (" bidirectional" if self.bidirectional else "")

    def flops(self, mode: Mode) -> int:
        """Floating-point operations of the matrix products of one call.

        A multiply-add counts as two. Training counts three times the forward pass: the gradients of
        the inputs and of the weights each cost one more product of the same size.
        """
        total = 0
        for layer in range(self.num_layers):
            inputs = self.input_size if layer == 0 else self.hidden_size * self.directions
            total += 8 * self.hidden_size * (inputs + self.hidden_size) * self.directions
        return total * self.steps * self.batch * (3 if mode == "training" else 1)


@dataclass(frozen=True)
class Case:
    """One row of the benchmark: a shape in a mode."""

    shape: Shape
    mode: Mode

    @property
    def name(self) -> str:
        """Identifier that ``--filter`` and pytest's ``-k`` match."""
        return f"{self.shape.name}-{self.mode}"


SHAPES: tuple[Shape, ...] = (
    Shape("activity-256", 16, 24, 4096, 256),
    Shape("activity-1024", 16, 24, 4096, 1024),
    Shape("captions", 20, 100, 1000, 1000),
    Shape("captions-2layers", 20, 100, 1000, 1000, num_layers=2),
    Shape("long-b8", 1024, 8, 512, 256),
    Shape("long-b1", 4096, 1, 256, 256),
    Shape("long-b4", 1500, 4, 128, 512),
    Shape("bidirectional", 200, 16, 256, 256, bidirectional=True),
    Shape("stream-small", 1, 1, 256, 256),
    Shape("stream-b1", 1, 1, 1000, 1000),
    Shape("stream-b1-2layers", 1, 1, 1000, 1000, num_layers=2),
    Shape("stream-b5", 1, 5, 1000, 1000),
    Shape("stream-b5-2layers", 1, 5, 1000, 1000, num_layers=2),
    Shape("cell", 1, 1, 1000, 1000, cell=True),
    Shape("cell-small", 1, 1, 256, 256, cell=True),
)

MEMORY_SHAPE = Shape("memory", 1024, 8, 512, 256)


def cases(shapes: Iterable[Shape] = SHAPES, pattern: str = "") -> Iterator[Case]:
    """Rows, mode by mode, whose name contains one of the comma-separated parts of ``pattern``."""
    parts = [part.strip() for part in pattern.split(",") if part.strip()] or [""]
    shapes = tuple(shapes)
    for mode in MODES:
        for shape in shapes:
            case = Case(shape, mode)
            if mode in shape.modes and any(part in case.name for part in parts):
                yield case
