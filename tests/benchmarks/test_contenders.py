"""Who is compared in rows that are more than padded sequences: all of them compute the same."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks import gate, onnx_peer
from benchmarks.contenders import ours, ways_of_torch
from benchmarks.peers import TORCH, Inputs, Peer, lrcn_fast_peer
from benchmarks.pieces import Packed
from benchmarks.resets import WAYS
from benchmarks.run import run_case
from benchmarks.shapes import Case, Mode, Sequences, Shape
from benchmarks.timing import QUICK
from tests.benchmarks import fakes

DTYPES = [torch.float32, torch.bfloat16]
OTHERS: list[Sequences] = ["lengths", "packed", "cont"]


def _case(sequences: Sequences, mode: Mode) -> Case:
    return Case(Shape("tiny", 70, 3, 5, 4, sequences=sequences), mode)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("sequences", OTHERS)
def test_all_agree_with_pieces_one_by_one(
    sequences: Sequences, mode: Mode, dtype: torch.dtype
) -> None:
    case = _case(sequences, mode)
    oracle = gate.Oracle(case, dtype)
    names = {"output"} if sequences == "cont" else {"output", "h_n", "c_n"}
    for way in ways_of_torch(case):
        found = oracle.check_of_torch(way)
        assert names <= found.keys()
        assert ("grad of input" in found) == (mode == "training")
    assert oracle.check(ours(case, lrcn_fast_peer())).keys() == found.keys()


class Forgetting(nn.LSTM):
    """Ignores what lrcn_fast is told about sequences."""

    def forward(self, x: torch.Tensor, **options: object) -> object:
        return super().forward(x)


@pytest.mark.parametrize("sequences", ["lengths", "cont"])
def test_sequences_that_are_not_kept_apart_are_refused(sequences: Sequences) -> None:
    row = run_case(_case(sequences, "inference"), fakes.peer(Forgetting), torch.float32, QUICK, 1.0)
    assert "lrcn_fast: output: error" in row["refused"]
    assert "ratio" not in row


def test_the_packed_order_is_undone() -> None:
    case = _case("packed", "training")
    inputs = Inputs.make(case.shape, torch.float32)
    job = Packed(TORCH, case, inputs)
    there = torch.zeros(70, 3, 1)
    for row, start, end in case.shape.pieces():
        there[start:end, row] = 1
    assert torch.equal(job.restore(job.arrange(inputs.input)), inputs.input * there)


def test_the_fastest_way_of_torch_is_timed_and_named() -> None:
    row = run_case(_case("cont", "inference"), lrcn_fast_peer(), torch.float32, QUICK, 1.0)
    assert row["ways"].keys() == {"pieces one by one", *WAYS}
    assert row["ways"][row["way"]] == min(row["ways"].values())
    assert row["median"].keys() == {"torch", "lrcn_fast"}


def test_a_wrong_way_of_torch_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: object) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(70, 3, 4),)

    monkeypatch.setattr(WAYS["padded pieces"], "forward", wrong)
    row = run_case(_case("cont", "inference"), lrcn_fast_peer(), torch.float32, QUICK, 1.0)
    assert "padded pieces" in row["left_out"] and "padded pieces" not in row["ways"]
    assert "ratio" in row


@pytest.mark.parametrize(
    "case",
    [
        Case(Shape("one", 3, 2, 5, 4), "inference"),
        Case(fakes.TINY, "inference"),
        Case(Shape("layers", 1, 2, 5, 4, num_layers=2), "step"),
        Case(fakes.TINY_STEP, "step"),
        Case(fakes.TINY_CELL, "step"),
    ],
    ids=lambda case: case.name,
)
def test_onnxruntime_agrees(case: Case) -> None:
    assert onnx_peer.missing() is None
    assert onnx_peer.runs(case, torch.float32)
    gate.Oracle(case, torch.float32).check(onnx_peer.PEER)
    row = run_case(case, fakes.EQUAL, torch.float32, QUICK, 1.0)
    assert row["peers"].keys() == {"onnxruntime"}


def test_onnxruntime_is_asked_for_what_it_can() -> None:
    assert not onnx_peer.runs(Case(fakes.TINY, "inference"), torch.bfloat16)
    assert not onnx_peer.runs(Case(fakes.TINY, "training"), torch.float32)
    assert not onnx_peer.runs(_case("lengths", "inference"), torch.float32)


def test_a_wrong_peer_is_left_out_and_the_row_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Peer = replace(onnx_peer.PEER, lstm=fakes.ScaledOutput)
    monkeypatch.setattr(onnx_peer, "PEER", wrong)
    row = run_case(Case(fakes.TINY, "inference"), fakes.EQUAL, torch.float32, QUICK, 1.0)
    assert "onnxruntime: output: error" in row["left_out"]["onnxruntime"]
    assert row["peers"] == {} and row["median"].keys() == {"torch", "lrcn_fast"}


def test_rows_go_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_peer, "find_spec", lambda name: None)
    assert onnx_peer.missing() == "onnx and onnxruntime not installed"
    row = run_case(Case(fakes.TINY, "inference"), fakes.EQUAL, torch.float32, QUICK, 1.0)
    assert row["peers"] == {} and "ratio" in row
