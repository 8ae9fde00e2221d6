"""torch.export with dynamic T and B."""

from pathlib import Path

import pytest
import torch
from torch.export import Dim

import lrcn_fast
from tests.helpers.exported import Call
from tests.helpers.modules import Layout
from tests.helpers.tolerance import assert_bitwise_equal
from tests.packaging.run import ROOT, run_python

CALLS = [
    Call(cells=True),
    Call(Layout(num_layers=2, bidirectional=True), ("cont", "lengths", "static"), cells=True),
    Call(Layout(batch_first=True, proj_size=3), ("lengths",)),
    Call(Layout(bias=False), states=False),
]
SIZES = ((5, 3), (9, 2), (2, 7))


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("decompose", [False, True])
def test_dynamic_steps_and_batch(call: Call, decompose: bool, tmp_path: Path) -> None:
    """Exported at one size, saved, loaded, run at others: the same bits."""
    model = call.module()
    path = tmp_path / "model.pt2"
    program = call.export(model)
    torch.export.save(program.run_decompositions() if decompose else program, path)
    loaded = torch.export.load(path).module()
    for T, B in SIZES:
        given = call.arguments(T, B)
        for number, (mine, other) in enumerate(zip(loaded(*given), model(*given), strict=True)):
            assert_bitwise_equal(mine, other, f"T={T}, B={B}, result {number}")


def test_fresh_process(tmp_path: Path) -> None:
    """A process that imports lrcn_fast runs the program; another is told what it lacks."""
    call = CALLS[1]
    model = call.module()
    torch.export.save(call.export(model), tmp_path / "model.pt2")
    given = call.arguments(9, 2)
    torch.save((given, model(*given)), tmp_path / "values.pt")
    run = """
import torch
given, expected = torch.load("values.pt")
results = torch.export.load("model.pt2").module()(*given)
print([torch.equal(a, b) for a, b in zip(results, expected, strict=True)])
"""
    here = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    assert "[True, True, True, True]" in run_python(f"import lrcn_fast{run}", cwd=tmp_path, **here)
    assert "lrcn_fast" in run_python(run, cwd=tmp_path, fails=True, **here)


def test_graph_holds_the_operator() -> None:
    """One call per layer for both directions, nothing unrolled over time."""
    call = Call(Layout(num_layers=2, bidirectional=True))
    targets = [str(node.target) for node in call.export(call.module()).graph.nodes]
    assert sum("lrcn_fast.lstm_scans_forward" in target for target in targets) == 2


def test_packed_sequence_is_refused() -> None:
    class Packing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = lrcn_fast.LSTM(3, 4)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths)
            return self.rnn(packed)[1][0]

    with pytest.raises(NotImplementedError, match="PackedSequence.*lengths instead"):
        torch.export.export(Packing(), (torch.randn(5, 2, 3), torch.tensor([5, 2])))


@pytest.mark.parametrize("option", ["lengths", "mask"])
def test_frame_features(option: str) -> None:
    """Which frames count is known only when the program runs; padding may be anything."""

    class Clips(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = lrcn_fast.nn.FrameFeatures(torch.nn.Tanh(), max_frames=4)

        def forward(self, frames: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            return self.features(frames, **{option: valid})

    def arguments(T: int, B: int) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = torch.randint(0, T + 1, (B,))
        mask = torch.arange(T).unsqueeze(1) < lengths
        frames = torch.randn(T, B, 2, 3, 4).where(mask[:, :, None, None, None], torch.nan)
        return frames, lengths if option == "lengths" else mask

    T, B = Dim("T", min=2, max=4096), Dim("B", min=2, max=512)
    shapes = ({0: T, 1: B}, {0: B} if option == "lengths" else {0: T, 1: B})
    model = Clips().eval()
    program = torch.export.export(model, arguments(*SIZES[0]), dynamic_shapes=shapes).module()
    for size in SIZES:
        given = arguments(*size)
        assert_bitwise_equal(program(*given), model(*given), f"T, B = {size}")


def test_aot_inductor(tmp_path: Path) -> None:
    """Compiled ahead of time for any T and B, both directions: the same bits."""
    call = Call(Layout(bidirectional=True), ("lengths",))
    model = call.module(torch.float32)
    example = call.arguments(5, 3, torch.float32)
    with torch.no_grad():
        program = torch.export.export(model, example, dynamic_shapes=call.dynamic_shapes())
    package = torch._inductor.aoti_compile_and_package(
        program, package_path=str(tmp_path / "model.pt2")
    )
    loaded = torch._inductor.aoti_load_package(package)
    for T, B in SIZES:
        given = call.arguments(T, B, torch.float32)
        with torch.no_grad():
            expected = model(*given)
        for number, (mine, other) in enumerate(zip(loaded(*given), expected, strict=True)):
            assert_bitwise_equal(mine, other, f"T={T}, B={B}, result {number}")
