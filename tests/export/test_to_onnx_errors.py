"""What cannot be exported to ONNX is named, and so is what is missing."""

import sys

import pytest
import torch
from torch import Tensor, nn

import lrcn_fast
from lrcn_fast.export import to_onnx
from lrcn_fast.functional import linear_cross_entropy


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_package(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'needs {package}: pip install "lrcn-fast\[export\]"'):
        to_onnx(lrcn_fast.LSTM(3, 4), (torch.randn(5, 2, 3),))


def test_packed_sequence() -> None:
    class Packing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = lrcn_fast.LSTM(3, 4)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
            state: Tensor = self.rnn(packed)[1][0]
            return state

    with pytest.raises(NotImplementedError, match="^input: a PackedSequence cannot be exported"):
        to_onnx(Packing(), (torch.randn(5, 2, 3), torch.tensor([5, 2])))


def test_operator_without_a_translation() -> None:
    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(11, 4))

        def forward(self, x: Tensor, targets: Tensor) -> Tensor:
            return linear_cross_entropy(x, self.weight, None, targets)

    example = (torch.randn(5, 4), torch.randint(0, 11, (5,)))
    with pytest.raises(torch.onnx.errors.OnnxExporterError, match="lrcn_fast.linear_cross_entropy"):
        to_onnx(Loss(), example)


def test_free_size_of_the_frames() -> None:
    class Frames(nn.Module):
        def forward(self, frames: Tensor) -> Tensor:
            return lrcn_fast.functional.frames_to_input(frames, channel_dim=3, size=(4, 4))

    frames = torch.zeros(2, 6, 6, 3, dtype=torch.uint8)
    rows = torch.export.Dim("Y", min=4, max=100)
    with pytest.raises(NotImplementedError, match="^dynamic_shapes: expected a fixed size"):
        to_onnx(Frames(), (frames,), dynamic_shapes=({1: rows},))


def test_no_model() -> None:
    with pytest.raises(TypeError, match="^model: expected a torch.nn.Module or an ExportedProgram"):
        to_onnx(lambda x: x, (torch.zeros(1),))  # type: ignore[arg-type]
