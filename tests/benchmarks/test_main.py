import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as main
from benchmarks import machine, memory
from benchmarks.shapes import MEMORY_SHAPE
from lrcn_fast import _loader
from tests.benchmarks import fakes


@pytest.fixture(autouse=True)
def extension_is_built() -> None:
    assert _loader.load() is not None, _loader.reason


def test_a_quick_run_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--filter", "stream-small", "--output", str(tmp_path)]
    assert main.main(arguments) == 0
    shown = capsys.readouterr().out
    stems = {path.stem: path for path in tmp_path.glob("*.json")}
    most = torch.get_num_threads()
    assert stems.keys() == {
        f"cpu-{machine.cpu_isa()}-{threads}t{dtype}"
        for threads in (most, 1)
        for dtype in ("", "-bfloat16")
    }
    for stem, data in stems.items():
        result = json.loads(data.read_text(encoding="utf-8"))
        assert [row["name"] for row in result["rows"]] == ["stream-small"]
        assert result["peak"]["gflops"] > 0
        assert (tmp_path / f"{stem}.md").read_text(encoding="utf-8") in shown
        assert (tmp_path / f"bench-{stem}.png").stat().st_size > 1000


def test_parts_make_the_whole(tmp_path: Path) -> None:
    common = ["--quick", "--dtype", "float32", "--threads", "1", "--output", str(tmp_path)]
    for part in ("cell-small", "stream-small"):
        assert main.main([*common, "--filter", part]) == 0
    (data,) = tmp_path.glob("*.json")
    names = [row["name"] for row in json.loads(data.read_text(encoding="utf-8"))["rows"]]
    assert names == ["stream-small", "cell-small"]


def test_a_whole_run_ends_with_memory_and_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def part(*_: object, dtype: str, threads: int, **__: object) -> dict[str, object]:
        return fakes.whole_result(2.0, dtype, threads)

    monkeypatch.setattr(main, "run", part)
    monkeypatch.setattr(main, "RESULTS", tmp_path)
    monkeypatch.setattr(main.memory, "measure", lambda threads: {"threads": threads})
    monkeypatch.setattr(main.memory_report, "write", lambda *parts: written.append(parts))
    monkeypatch.setattr(main.documents, "update", lambda folder: written.append(folder) or [])
    assert main.main([]) == 0
    assert len(list(tmp_path.glob("cpu-*.json"))) == 2 * len({1, torch.get_num_threads()})
    assert written == [({"threads": torch.get_num_threads()}, tmp_path), tmp_path]


def test_quick_runs_do_not_replace_published_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(main, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(main.documents, "IMAGES", tmp_path / "images")
    assert main.main(["--quick", "--filter", "stream-small"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"scratch"}


def test_an_unknown_row_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--filter", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_the_reference_loop_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_loader, "load", lambda: None)
    monkeypatch.setattr(_loader, "reason", "no compiler was found")
    assert main.main(["--quick"]) == 2
    assert "no compiler was found" in capsys.readouterr().err


def test_there_is_nothing_to_show_without_a_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["--update-readme", "--output", str(tmp_path)]) == 2
    assert "python -m benchmarks" in capsys.readouterr().err


def test_memory_grows_with_the_sequence_and_the_parent_does_not_count() -> None:
    ballast = torch.zeros(2**28, dtype=torch.uint8)
    ballast.fill_(1)
    points = (16, 4096)
    short, long = (memory.in_fresh_process("torch", steps, 1) for steps in points)
    gates = 4096 * MEMORY_SHAPE.batch * 4 * MEMORY_SHAPE.hidden_size * 4
    assert long - short > gates
    assert long < 20 * gates


def test_the_memory_of_all_is_measured_at_each_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "in_fresh_process", lambda name, steps, threads: steps)
    assert memory.main(["--steps", "10", "20", "--threads", "1", "--output", str(tmp_path)]) == 0
    (data,) = tmp_path.glob("memory-cpu-*.json")
    result = json.loads(data.read_text(encoding="utf-8"))
    assert result["machine"]["threads"] == 1
    assert result["bytes"] == {name: [10, 20] for name in memory.PEERS}


@pytest.mark.parametrize("name", ["lrcn_fast", "recomputing"])
def test_a_peak_is_told_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert memory.main([name, "--steps", "600", "--threads", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["peer"] == name and told["bytes"] >= 0


def test_pytest_benchmark_runs_the_rows(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    command = [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-only", "-q"]
    command += ["-k", "stream-small", f"--benchmark-json={saved}", "-p", "no:cacheprovider"]
    # Where processes share out the tests this one must not look like a part of them.
    kept = {name: value for name, value in os.environ.items() if "PYTEST_XDIST" not in name}
    one_thread = {**kept, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=machine.ROOT, env=one_thread, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    read = json.loads(saved.read_text(encoding="utf-8"))
    assert len(read["benchmarks"]) == 2
    assert len({benchmark["group"] for benchmark in read["benchmarks"]}) == 1
    assert read["machine_info"]["lrcn_fast"]["versions"]["torch"] == torch.__version__
