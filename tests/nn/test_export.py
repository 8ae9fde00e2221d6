"""torch.export with dynamic T and B."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim

import lrcn_fast
from tests.helpers.modules import Layout
from tests.helpers.tolerance import assert_equal_to_oracle

ROWS = [
    (Layout(), ()),
    (Layout(num_layers=2, bidirectional=True), ("cont", "lengths", "static")),
    (Layout(batch_first=True, proj_size=3), ("lengths",)),
]


class Wrapped(torch.nn.Module):
    """All tensors as positional arguments."""

    def __init__(self, rnn: lrcn_fast.LSTM, names: tuple[str, ...]) -> None:
        super().__init__()
        self.rnn, self.names = rnn, names

    def forward(self, x: Tensor, h: Tensor, c: Tensor, options: list[Tensor]) -> tuple[Any, ...]:
        named = dict(zip(self.names, options, strict=True))
        output, (h_n, c_n), cells = self.rnn(x, (h, c), return_cells=True, **named)
        return output, h_n, c_n, cells


def arguments(layout: Layout, names: tuple[str, ...], T: int, B: int) -> tuple[Any, ...]:
    values = {
        "cont": torch.rand((B, T) if layout.batch_first else (T, B)) > 0.3,
        "lengths": torch.randint(0, T + 1, (B,)),
        "static": torch.randn(B, 4, dtype=torch.float64),
    }
    return (layout.sequence(T, B), *layout.state(B), [values[name] for name in names])


def export(model: Wrapped, layout: Layout, names: tuple[str, ...]) -> torch.export.ExportedProgram:
    T, B = Dim("T", min=2, max=4096), Dim("B", min=2, max=512)
    leading = {0: B, 1: T} if layout.batch_first else {0: T, 1: B}
    options = {"cont": leading, "lengths": {0: B}, "static": {0: B}}
    dynamic = (leading, {1: B}, {1: B}, [options[name] for name in names])
    return torch.export.export(model, arguments(layout, names, 5, 3), dynamic_shapes=dynamic)


@pytest.mark.parametrize("layout, names", ROWS, ids=str)
def test_dynamic_steps_and_batch(layout: Layout, names: tuple[str, ...], tmp_path: Path) -> None:
    """Exported at one size, saved, loaded, run at others."""
    rnn = lrcn_fast.LSTM(
        **layout.arguments(), static_size=4 if "static" in names else 0, dtype=torch.float64
    )
    model = Wrapped(rnn, names).eval()
    path = tmp_path / "model.pt2"
    torch.export.save(export(model, layout, names), path)
    loaded = torch.export.load(path).module()
    for T, B in ((5, 3), (9, 2), (2, 7)):
        given = arguments(layout, names, T, B)
        for number, (mine, other) in enumerate(zip(loaded(*given), model(*given), strict=True)):
            assert_equal_to_oracle(mine, other, f"T={T}, B={B}, result {number}")


def test_graph_holds_the_operator() -> None:
    """One call per layer for both directions, nothing unrolled over time."""
    layout = Layout(num_layers=2, bidirectional=True)
    model = Wrapped(lrcn_fast.LSTM(**layout.arguments(), dtype=torch.float64), ()).eval()
    program = export(model, layout, ())
    targets = [str(node.target) for node in program.graph.nodes]
    assert sum("lrcn_fast.lstm_scans_forward" in target for target in targets) == 2
