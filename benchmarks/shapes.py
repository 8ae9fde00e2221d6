"""What is measured: shapes from the LRCN paper, long sequences, single steps, and their modes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["inference", "training", "step"]
Sequences = Literal["padded", "lengths", "packed", "cont"]
DTYPES = ("float32", "float64", "bfloat16", "float16")
MODES: tuple[Mode, ...] = get_args(Mode)

SHORTEST = 6
"""The shortest of sequences of differing lengths has a sixth of the longest's steps."""

PIECE = 32
"""Mean number of steps between two resets of a row."""


@dataclass(frozen=True)
class Shape:
    """Sizes of one LSTM stack: T, B, I, H, L and the number of directions.

    ``cell`` selects LSTMCell instead of LSTM; it has one layer, one direction and one step.
    ``sequences`` says what a row holds: one sequence of T steps; one of fewer, for which lrcn_fast
    is given "lengths" or, as torch always is, a "packed" sequence; or several, with "cont".
    """

    name: str
    steps: int
    batch: int
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    cell: bool = False
    sequences: Sequences = "padded"

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
        if self.sequences != "padded":
            text += f" {self.sequences}"
        return text + (" bidirectional" if self.bidirectional else "")

    def pieces(self) -> list[tuple[int, int, int]]:
        """The sequences as (row, first step, end), row by row; the same ones at every call."""
        drawn, found = random.Random(0), []
        for row in range(self.batch):
            ends = [self.steps]
            if self.sequences in ("lengths", "packed") and row > 0:
                ends = [drawn.randint(max(1, self.steps // SHORTEST), self.steps)]
            if self.sequences == "cont":
                ends = [t for t in range(1, self.steps) if drawn.random() * PIECE < 1] + ends
            found += [(row, *span) for span in zip([0, *ends], ends)]
        return found

    def flops(self, mode: Mode, input_grad: bool = True) -> int:
        """Floating-point operations of the matrix products of one call, at steps that exist.

        A multiply-add counts as two. Training counts three times the forward pass: the gradients of
        the inputs and of the weights each cost one more product of the same size. Without
        ``input_grad`` the gradient of the first layer's input is not formed.
        """
        total = 0
        times = 3 if mode == "training" else 1
        for layer in range(self.num_layers):
            inputs = self.input_size if layer == 0 else self.hidden_size * self.directions
            unneeded = inputs if layer == 0 and mode == "training" and not input_grad else 0
            products = times * (inputs + self.hidden_size) - unneeded
            total += 8 * self.hidden_size * products * self.directions
        return total * sum(end - start for _, start, end in self.pieces())


@dataclass(frozen=True)
class Case:
    """One row of the benchmark: a shape in a mode.

    In training the gradients of all weights are formed, and that of the input unless its features
    come ``frozen``, from a network that is not trained.
    """

    shape: Shape
    mode: Mode
    frozen: bool = False

    @property
    def title(self) -> str:
        """Of the row within its mode."""
        return f"{self.shape.name}-frozen" if self.frozen else self.shape.name

    @property
    def name(self) -> str:
        """Identifier that ``--filter`` and pytest's ``-k`` match."""
        return f"{self.title}-{self.mode}"

    @property
    def label(self) -> str:
        """The shape's, for tables and plots."""
        return f"{self.shape.label} frozen" if self.frozen else self.shape.label

    @property
    def input_grad(self) -> bool:
        """Whether the gradient of the input is formed."""
        return self.mode == "training" and not self.frozen

    @property
    def flops(self) -> int:
        """Of one call."""
        return self.shape.flops(self.mode, self.input_grad)


SHAPES: tuple[Shape, ...] = (
    Shape("activity-256", 16, 24, 4096, 256),
    Shape("activity-1024", 16, 24, 4096, 1024),
    Shape("captions", 20, 100, 1000, 1000),
    Shape("captions-2layers", 20, 100, 1000, 1000, num_layers=2),
    Shape("long-b8", 1024, 8, 512, 256),
    Shape("long-b1", 4096, 1, 256, 256),
    Shape("long-b4", 1500, 4, 128, 512),
    Shape("bidirectional", 200, 16, 256, 256, bidirectional=True),
    Shape("ragged", 600, 16, 128, 128, sequences="lengths"),
    Shape("ragged-packed", 600, 16, 128, 128, sequences="packed"),
    Shape("cont", 256, 16, 256, 256, sequences="cont"),
    Shape("stream-small", 1, 1, 256, 256),
    Shape("stream-b1", 1, 1, 1000, 1000),
    Shape("stream-b1-2layers", 1, 1, 1000, 1000, num_layers=2),
    Shape("stream-b5", 1, 5, 1000, 1000),
    Shape("stream-b5-2layers", 1, 5, 1000, 1000, num_layers=2),
    Shape("cell", 1, 1, 1000, 1000, cell=True),
    Shape("cell-b5", 1, 5, 1000, 1000, cell=True),
    Shape("cell-small", 1, 1, 256, 256, cell=True),
)

FROZEN = ("activity-256", "activity-1024")
"""Shapes that are trained on features of a frozen network too."""

MEMORY_SHAPE = Shape("memory", 1024, 1, 256, 256)


def _modes(shapes: tuple[Shape, ...]) -> Iterator[Case]:
    for mode in MODES:
        for shape in shapes:
            if mode in shape.modes:
                yield Case(shape, mode)
                if mode == "training" and shape.name in FROZEN:
                    yield Case(shape, mode, frozen=True)


def cases(shapes: Iterable[Shape] = SHAPES, pattern: str = "") -> Iterator[Case]:
    """Rows, mode by mode, whose name contains one of the comma-separated parts of ``pattern``."""
    parts = [part.strip() for part in pattern.split(",") if part.strip()] or [""]
    for case in _modes(tuple(shapes)):
        if any(part in case.name for part in parts):
            yield case
