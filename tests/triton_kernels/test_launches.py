"""How a call is cut into launches, by recording them."""

from itertools import pairwise

import pytest
import torch

from tests.helpers.cases import Case, build
from tests.triton_kernels.compilation import record

pytest.importorskip("triton")

from lrcn_fast import triton_kernels
from lrcn_fast.triton_kernels.launch import Launches, precision, tiles


@pytest.mark.parametrize("reverse", [False, True])
def test_more_steps_than_a_grid_has_rows(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One launch a step, which differ in t and in the two buffers of the state alone."""
    steps = 70_000
    gates, weight = torch.zeros(steps, 1, 8), torch.zeros(8, 2)
    options = (None, None, None, None, None, None, reverse, False, False, False)
    found = record(monkeypatch, 132, lambda: triton_kernels.lstm_forward(gates, weight, *options))
    launched = found["forward_step"]
    times = [launch.arguments["t"] for launch in launched]
    assert times == (list(reversed(range(steps))) if reverse else list(range(steps)))
    for before, after in pairwise(launched):
        assert before.grid == after.grid and before.options == after.options
        assert before.arguments["h_out"] is after.arguments["h_in"]
        same = before.arguments.keys() - {"t", "h_in", "h_out"}
        assert all(before.arguments[name] is after.arguments[name] for name in same)


def test_many_rows_are_the_first_axis_of_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """It alone is longer than 65535."""
    gates = torch.zeros(1, 1, 4).expand(1, 5_000_000, 4)
    options = (None, None, None, None, None, None, False, False, False, False)
    found = record(
        monkeypatch, 132, lambda: triton_kernels.lstm_forward(gates, torch.zeros(4, 1), *options)
    )
    assert found["forward_step"][0].grid == (78_125, 1)


def test_an_empty_batch_launches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = build(Case("no_stream", T=4, B=0, H=5), torch.float32)

    def call() -> None:
        results = triton_kernels.lstm_forward(*tensors.forward_arguments(), True, True)
        triton_kernels.lstm_backward(*tensors.backward_arguments(results[4], results[3]))
        triton_kernels.lstm_cell_forward(torch.zeros(0, 8))

    assert record(monkeypatch, 132, call) == {}


@pytest.mark.parametrize("gates", [1, 4])
@pytest.mark.parametrize("mode", ["ieee", "tf32", "tf32x3"])
@pytest.mark.parametrize("itemsize", [2, 4])
def test_tiles_cover_every_shape(itemsize: int, mode: str, gates: int) -> None:
    for batch in (1, 2, 7, 16, 24, 100, 1000):
        for width in (1, 3, 16, 200, 256, 1000, 1024, 4096):
            chosen = tiles(batch, width, width, gates, itemsize, mode, 132)
            for size in chosen.blocks:
                assert size & (size - 1) == 0
            assert chosen.grid[0] * chosen.rows >= batch > (chosen.grid[0] - 1) * chosen.rows
            assert chosen.grid[1] * chosen.columns >= width
            assert (chosen.grid[1] - 1) * chosen.columns < width
            assert chosen.depth >= 16
            blocks = (chosen.rows + chosen.columns * gates) * chosen.depth * itemsize
            assert blocks * chosen.num_stages <= 96 * 1024


def test_a_wide_layer_uses_every_processor() -> None:
    for batch in (1, 8, 24, 100):
        chosen = tiles(batch, 1024, 1024, 4, 2, "ieee", 132)
        assert chosen.grid[0] * chosen.grid[1] >= 128


def test_precision_of_products() -> None:
    for tf32, mode in ((0, "ieee"), (3, "tf32x3"), (1, "tf32")):
        assert precision(torch.float32, tf32) == mode
        assert precision(torch.bfloat16, tf32) == precision(torch.float16, tf32) == "ieee"
    with pytest.raises(ValueError, match="tf32"):
        precision(torch.float32, 2)


def test_later_launches_skip_the_search() -> None:
    """The compiled kernel is launched with the same arguments, block sizes among them."""
    calls: list[tuple[object, ...]] = []

    class Compiled:
        def __getitem__(self, grid: tuple[int, ...]) -> object:
            return lambda *arguments: calls.append(("compiled", grid, *arguments))

    class Kernel:
        def __getitem__(self, grid: tuple[int, ...]) -> object:
            def first(*arguments: object, **options: int) -> Compiled:
                calls.append(("searched", (*grid, 1), *arguments))
                return Compiled()

            return first

    chosen = tiles(24, 1024, 1024, 4, 2, "ieee", 132)
    launch = Launches(Kernel(), chosen, ("tail",))
    for t in range(3):
        launch("pointer", t)
    assert [call[0] for call in calls] == ["searched", "compiled", "compiled"]
    for t, call in enumerate(calls):
        assert call[1:] == ((*chosen.grid, 1), "pointer", t, "tail", *chosen.blocks)
