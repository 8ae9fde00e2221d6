"""An LSTM as ``torch.export`` takes it: all tensors are arguments, T and B are free."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

import lrcn_fast
from tests.helpers.modules import LAYOUTS, Layout

STATIC_SIZE = 4


class Wrapped(torch.nn.Module):
    """A module whose options are positional arguments, and whose results one flat tuple."""

    def __init__(self, rnn: lrcn_fast.LSTM, names: tuple[str, ...], cells: bool) -> None:
        super().__init__()
        self.rnn, self.names, self.cells = rnn, names, cells

    def forward(self, x: Tensor, hx: Any, options: list[Tensor]) -> tuple[Tensor, ...]:
        named = dict(zip(self.names, options, strict=True))
        output, states, *cells = self.rnn(x, hx, return_cells=self.cells, **named)
        return (output, *states, *cells)


@dataclass(frozen=True)
class Call:
    """A layout and what a call of it is given."""

    layout: Layout = LAYOUTS[0]
    names: tuple[str, ...] = ()
    cells: bool = False
    states: bool = True

    def __str__(self) -> str:
        words = [str(self.layout), *self.names, *["cells"] * self.cells]
        return "-".join([*words, *["states"] * self.states])

    def module(self, dtype: torch.dtype = torch.float64) -> Wrapped:
        """In evaluation mode."""
        static_size = STATIC_SIZE if "static" in self.names else 0
        rnn = lrcn_fast.LSTM(**self.layout.arguments(), static_size=static_size, dtype=dtype)  # type: ignore[arg-type]
        return Wrapped(rnn, self.names, self.cells).eval()

    def arguments(self, T: int, B: int, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
        """Random ones."""
        values = {
            "cont": torch.rand((B, T) if self.layout.batch_first else (T, B)) > 0.3,
            "lengths": torch.randint(0, T + 1, (B,)),
            "static": torch.randn(B, STATIC_SIZE, dtype=dtype),
        }
        hx = self.layout.state(B, dtype) if self.states else None
        return self.layout.sequence(T, B, dtype), hx, [values[name] for name in self.names]

    def dynamic_shapes(self) -> tuple[Any, ...]:
        """Those of ``arguments``."""
        T, B = Dim("T", min=2, max=4096), Dim("B", min=2, max=512)
        leading = {0: B, 1: T} if self.layout.batch_first else {0: T, 1: B}
        options = {"cont": leading, "lengths": {0: B}, "static": {0: B}}
        hx = ({1: B}, {1: B}) if self.states else None
        return leading, hx, [options[name] for name in self.names]

    def export(self, model: Wrapped) -> torch.export.ExportedProgram:
        return torch.export.export(
            model, self.arguments(5, 3), dynamic_shapes=self.dynamic_shapes()
        )
