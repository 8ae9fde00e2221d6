import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import __main__ as main
from benchmarks.gpu import device
from benchmarks.gpu.plan import LEAST_SECONDS, TOTAL_SECONDS, Context, Part, limit, select
from benchmarks.gpu.store import Store
from benchmarks.machine import ROOT
from tests.benchmarks.gpu_fakes import FOUND, HEADER, STEM

NAMES = ["build", "tests", "sanitizer", "probes", "features", "captions", "nets", "bench"]


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "find", lambda: {"missing": "torch 2.11 was built without CUDA"})


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, float, Context]]:
    """A machine with a GPU, on which every part passes at once; the calls are listed."""
    calls: list[tuple[str, float, Context]] = []

    def fake(part: Part) -> Part:
        def run(context: Context, seconds: float) -> dict[str, Any]:
            calls.append((part.name, seconds, context))
            return {"status": "passed"}

        return replace(part, run=run)

    monkeypatch.setattr(device, "find", lambda: FOUND)
    monkeypatch.setattr(device, "tree", lambda commit: {"commit": "c" * 40, "dirty": False})
    monkeypatch.setattr(main, "PARTS", tuple(map(fake, main.PARTS)))
    monkeypatch.setattr(main, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    return calls


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_there_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1
    assert "needs a CUDA GPU: torch 2.11 was built without CUDA; --dry-run" in shown.err


@pytest.mark.usefixtures("no_gpu")
def test_the_dry_run_shows_parts_commands_shapes_and_budgets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["--dry-run"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert [line.split(":")[0] for line in lines[1:] if not line.startswith(" ")] == NAMES
    for text in (
        "LRCN_FAST_CUDA=1 LRCN_FAST_CUDA_ARCHS=sm_90a",
        "setup.py build_ext --inplace",
        "pytest -m gpu tests/gpu -k 'not triton'",
        "pytest -m gpu tests/gpu -k triton",
        "--tool racecheck",
        "benchmarks.gpu.ceilings",
        "captions/bfloat16: T=20 B=100 I=1000 H=1000",
        "300 rows of the grid",
        "hybrid-ragged: HybridNet T=8 B=4, 41% padding",
        "at least 105 s",
    ):
        assert text in shown


@pytest.mark.usefixtures("no_gpu")
def test_parts_can_be_chosen_and_unknown_ones_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["--dry-run", "--parts", "bench, tests"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[1:] if not line.startswith(" ")] == [
        "tests",
        "bench",
    ]
    assert main.main(["--parts", "tests,speed"]) == 2
    assert "no part speed; there are build, tests" in capsys.readouterr().err


def test_the_plan_fits_into_nine_minutes() -> None:
    assert sum(part.seconds for part in main.PARTS) <= TOTAL_SECONDS <= 9 * 60 - 10
    left = TOTAL_SECONDS
    for index in range(len(main.PARTS)):
        left -= limit(main.PARTS, index, left)
    assert left == 0


def test_the_last_part_gets_what_is_left_and_nobody_more_than_there_is() -> None:
    assert limit(main.PARTS, len(main.PARTS) - 1, 400.0) == 400.0
    assert limit(main.PARTS, 0, 400.0) == main.PARTS[0].seconds
    assert limit(main.PARTS, 0, 30.0) == 30.0
    assert limit(main.PARTS, 0, LEAST_SECONDS / 2) == 0.0
    assert [part.name for part in select(main.PARTS, "probes,build")] == ["build", "probes"]


def test_a_run_stores_every_part_in_both_folders(
    gpu: list[tuple[str, float, Context]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["--output", str(tmp_path / "out")]) == 0
    assert [name for name, _, _ in gpu] == NAMES
    assert gpu[-1][1] > TOTAL_SECONDS - 10
    assert gpu[0][2].arch == "sm_90a" and gpu[0][2].logs == tmp_path / "out"
    for folder in ("results", "out"):
        saved = json.loads((tmp_path / folder / f"{STEM}.json").read_text())
        assert list(saved["parts"]) == NAMES
        assert all(part["status"] == "passed" for part in saved["parts"].values())
        assert (tmp_path / folder / f"{STEM}.md").read_text()
    assert f"{STEM}.json" in capsys.readouterr().out


def test_one_part_alone_keeps_the_others(
    gpu: list[tuple[str, float, Context]], tmp_path: Path
) -> None:
    assert main.main([]) == 0
    gpu.clear()
    assert main.main(["--parts", "probes"]) == 0
    assert [name for name, _, _ in gpu] == ["probes"]
    saved = json.loads((tmp_path / "results" / f"{STEM}.json").read_text())
    assert set(saved["parts"]) == set(NAMES)
    gpu.clear()
    assert main.main(["--resume"]) == 0
    assert gpu == []


def test_what_does_not_fit_is_recorded(
    gpu: list[tuple[str, float, Context]], tmp_path: Path
) -> None:
    assert main.main(["--seconds", "1"]) == 1
    assert gpu == []
    saved = json.loads((tmp_path / "results" / f"{STEM}.json").read_text())
    assert [saved["parts"][name]["status"] for name in NAMES] == ["not run"] * len(NAMES)
    assert "of 1 were left" in saved["parts"]["bench"]["reason"]


def test_a_failed_part_stops_no_other_and_shows_in_the_status(tmp_path: Path) -> None:
    def part(name: str, status: str) -> Part:
        return Part(name, 50, name, lambda _: [], lambda *_: {"status": status, "reason": "why"})

    store = Store([tmp_path], STEM, HEADER, lambda _: "")
    parts = [part("a", "failed"), part("b", "passed")]
    assert not main.run_parts(parts, Context(), store, 100.0)
    assert [store.result["parts"][name]["status"] for name in "ab"] == ["failed", "passed"]
    assert store.result["parts"]["a"]["limit_seconds"] == 50


def test_a_terminated_run_ends_its_command_and_keeps_what_it_has(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from benchmarks.gpu import __main__ as main, device
from benchmarks.gpu.plan import Part
from benchmarks.gpu.process import Command
from tests.benchmarks.gpu_fakes import FOUND
folder = Path({str(tmp_path)!r})
def sleep(context, seconds):
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    context.execute(Command((sys.executable, "-c", program)), seconds, folder / "log")
device.find = lambda: FOUND
main.RESULTS = folder
main.PARTS = (
    Part("quick", 50, "q", None, lambda *_: {{"status": "passed"}}),
    Part("slow", 50, "s", None, sleep),
)
sys.exit(main.main([]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
    log = tmp_path / "log"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (
        log.exists() and len(log.read_text().split("\n")) > 2
    ):
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    child = int(log.read_text().splitlines()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    saved = json.loads((tmp_path / f"{STEM}.json").read_text())
    assert [part["status"] for part in saved["parts"].values()] == ["passed", "running"]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_runs_it_with_the_python_that_is_there(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text(
        '#!/bin/sh\necho "arguments: $*"\necho "path: $PATH"\n'
        'echo "pythonpath: ${PYTHONPATH-none}"\n'
    )
    fake.chmod(0o755)
    command = ["make", "--no-print-directory", "gpu-check", f"PYTHON={fake}", "ARGS=--dry-run"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = {
        **kept,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{kept['PATH']}",
        "PYTHONPATH": "/else",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    arguments, path, pythonpath = done.stdout.splitlines()[-3:]
    assert arguments == "arguments: -m benchmarks.gpu --dry-run"
    assert str(ROOT / ".venv") not in path
    assert pythonpath == "pythonpath: none"


def test_names_of_devices_and_architectures() -> None:
    assert device.slug("NVIDIA H100 80GB HBM3") == "h100-80gb-hbm3"
    assert device.slug("NVIDIA GeForce RTX 4090") == "geforce-rtx-4090"
    assert [device.arch(pair) for pair in ((8, 0), (8, 9), (9, 0), (10, 0))] == [
        "sm_80",
        "sm_89",
        "sm_90a",
        "sm_100a",
    ]


def test_a_commit_can_be_given_where_git_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "git_commit", lambda: "a" * 40 + "+")
    assert device.tree("b") == {"commit": "a" * 40, "dirty": True}
    monkeypatch.setattr(device, "git_commit", lambda: None)
    assert device.tree("b") == {"commit": "b", "dirty": None}


def test_looking_for_a_device_never_raises(tmp_path: Path) -> None:
    found = device.find(sys.executable, tmp_path)
    assert "looking for a GPU failed" in found["missing"]
    assert device.find("/bin/true")["missing"].endswith("exit status 0")
