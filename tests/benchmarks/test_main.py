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


@pytest.fixture(autouse=True)
def extension_is_built() -> None:
    assert _loader.load() is not None, _loader.reason


def test_a_quick_run_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--quick", "--filter", "stream-small", "--threads", "1", "--output", str(tmp_path)]
    assert main.main(arguments) == 0
    (data,) = tmp_path.glob("*.json")
    result = json.loads(data.read_text(encoding="utf-8"))
    assert data.stem == f"cpu-{machine.cpu_isa()}-1t"
    assert [row["name"] for row in result["rows"]] == ["stream-small"]
    assert result["memory"]["bytes"].keys() == {"torch", "lrcn_fast"}
    assert (tmp_path / f"{data.stem}.md").read_text(encoding="utf-8") in capsys.readouterr().out
    assert (tmp_path / f"bench-{data.stem}.png").stat().st_size > 1000


def test_partial_runs_do_not_replace_published_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(main.report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(main.report, "IMAGES", tmp_path / "images")
    assert main.main(["--quick", "--filter", "stream-small", "--no-memory"]) == 0
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


def test_the_readme_gets_the_newest_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"{main.report.BEGIN}\n{main.report.END}\n")
    monkeypatch.setattr(main.report, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(main, "README", readme)
    results = str(tmp_path / "results")
    main.main(["--quick", "--filter", "stream-small", "--no-memory", "--output", results])
    assert main.main(["--update-readme", "--output", results]) == 0
    first = readme.read_bytes()
    assert main.main(["--update-readme", "--output", results]) == 0
    assert readme.read_bytes() == first
    assert "already shows" in capsys.readouterr().out
    assert b"stream-small" in first


def test_memory_grows_with_the_sequence_and_the_parent_does_not_count() -> None:
    ballast = torch.zeros(2**28, dtype=torch.uint8)
    ballast.fill_(1)
    short, long = (memory.in_fresh_process("torch", "float32", 1, steps) for steps in (16, 1024))
    gates = MEMORY_SHAPE.steps * MEMORY_SHAPE.batch * 4 * MEMORY_SHAPE.hidden_size * 4
    assert long - short > gates
    assert long < 20 * gates


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
