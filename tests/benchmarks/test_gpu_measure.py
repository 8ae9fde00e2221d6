import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.gpu import measure, timing
from benchmarks.gpu import peers as gpu_peers
from benchmarks.gpu import worker as worker_module
from benchmarks.gpu.rows import Row
from benchmarks.peers import TORCH, Peer
from benchmarks.shapes import Shape
from tests.benchmarks import fakes

TINY = Row(Shape("tiny", 3, 2, 5, 4), "float32", "grid")


def peer(lstm: Any) -> Peer:
    return Peer("native", lstm, TORCH.cell)


@pytest.mark.parametrize(
    ("lstm", "mode", "message"),
    [
        (fakes.ScaledOutput, "inference", "native: output: error"),
        (fakes.NaNState, "inference", "native: c_n: error inf"),
        (fakes.WrongGradient, "training", "native: grad of input: error"),
        (fakes.Failing, "inference", "native raised RuntimeError: no kernel"),
    ],
)
def test_no_time_is_taken_of_a_wrong_result(lstm: type[nn.LSTM], mode: str, message: str) -> None:
    record = measure.measure(
        Row(TINY.shape, "float32-highest", "grid"), [peer(lstm)], "cpu", timing.QUICK
    )
    found = record["modes"][mode]
    assert message in found["refused"]["native"]
    assert found["eager"]["median"].keys() == {"torch"}
    assert "native" not in found["eager"]["ratio"]
    assert "native" not in record["backward"].get("eager", {})


def test_a_right_result_is_timed_beside_torch() -> None:
    peers = [gpu_peers.ours("native"), gpu_peers.ours("no-such-backend")]
    record = measure.measure(TINY, peers, "cpu", timing.QUICK)
    for mode in ("inference", "training"):
        found = record["modes"][mode]
        assert found["eager"]["median"].keys() == {"torch", "native"}
        assert found["eager"]["ratio"]["native"]["median"] > 0
        assert (
            "no backend" in found["refused"]["no-such-backend"]
            or "expected 'auto'" in (found["refused"]["no-such-backend"])
        )
        assert "graph" not in found
    training, inference = (
        record["modes"][mode]["eager"]["median"]["native"] for mode in ("training", "inference")
    )
    assert record["backward"]["eager"]["native"] == training - inference


def test_graphs_are_checked_by_what_they_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for CUDA graphs: they replay, then they leave their outputs alone."""

    lazy = False

    def capture(call: Any) -> timing.Captured:
        results = call()

        def replay() -> None:
            with torch.inference_mode():
                for old, new in zip(results, call()):
                    if not lazy:
                        old.detach().copy_(new)

        return timing.Captured(replay, results)

    monkeypatch.setattr(timing, "capture", capture)
    monkeypatch.setattr(timing, "events", timing.wall)
    real = measure.Inputs.make
    monkeypatch.setattr(
        measure.Inputs, "make", lambda shape, dtype, seed=0, device="": real(shape, dtype, seed)
    )
    ours = [gpu_peers.ours("native")]
    found = measure._measure_mode(TINY, "inference", ours, "cuda", timing.QUICK)
    assert found["graph"]["median"].keys() == {"torch", "native"} and not found["no_graph"]
    lazy = True
    found = measure._measure_mode(TINY, "inference", ours, "cuda", timing.QUICK)
    assert "graph" not in found
    assert "error inf" in found["no_graph"]["native"]


def test_the_worker_needs_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert measure.main([]) == 2
    assert "need one" in capsys.readouterr().err


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the worker over three rows, as if there were a GPU, and returns what it printed."""
    three = [Row(Shape(name, 1, 1, 1, 1), "float32", "grid") for name in "abc"]
    for name in ("synchronize", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(measure, "rows", lambda: three)
    monkeypatch.setattr(measure, "measure", lambda row, peers: {"name": row.name, "modes": {}})

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        status = measure.main(list(arguments))
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_the_worker_says_what_it_begins_and_leaves_out_what_is_done(
    worker: Any, tmp_path: Path
) -> None:
    skip = tmp_path / "skip"
    skip.write_text("b/float32\n")
    status, printed = worker("--skip", str(skip))
    assert status == 0
    assert printed == [
        {"begin": "a/float32"},
        {"name": "a/float32", "modes": {}},
        {"begin": "c/float32"},
        {"name": "c/float32", "modes": {}},
    ]
    assert worker("--seconds", "1") == (0, [])
    assert [line.get("begin") for line in worker("--filter", "b/")[1]] == ["b/float32", None]


def test_the_worker_goes_on_after_an_error_but_not_after_a_fault(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nand a stack")

    monkeypatch.setattr(measure, "measure", fail)
    status, printed = worker()
    assert status == 0
    failed = [line["failed"] for line in printed if "failed" in line]
    assert failed == ["RuntimeError: out of memory"] * 3
    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    status, printed = worker()
    assert status == worker_module.BROKEN and len(printed) == 2 and "failed" in printed[1]


def test_torch_compile_is_a_peer_of_the_papers_shapes_only() -> None:
    row = Row(TINY.shape, "float32", "paper")
    for other in (TINY, Row(TINY.shape, "float32-highest", "paper")):
        assert [peer.name for peer in gpu_peers.peers(other)] == ["native", "triton"]
    compiled = gpu_peers.peers(row)[-1]
    record = measure.measure(row, [compiled], "cpu", timing.QUICK)
    assert record["modes"]["training"]["eager"]["median"].keys() == {"torch", "compiled"}
    assert record["torch_compile"].keys() == {"graphs", "graph_breaks"}


def test_compare_alternates_and_takes_medians() -> None:
    order: list[str] = []
    cost = {"torch": 4.0, "native": 2.0}

    def clock(call: Any, number: int) -> float:
        order.append(call())
        return cost[call()] * number

    calls = {name: (lambda name=name: name) for name in cost}
    found = timing.compare(calls, "torch", timing.Budget(0.0, 4, 4, 0.0), clock)
    assert order[-8:] == ["torch", "native", "native", "torch"] * 2
    assert found["median"] == cost and found["rounds"] == 4
    assert found["ratio"] == {"native": {"median": 2.0, "low": 2.0, "high": 2.0}}
