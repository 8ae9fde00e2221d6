"""The probes compile without a warning, and end with one clear line where there is no GPU."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import probing
from benchmarks.machine import ROOT
from tests.benchmarks.gpu_fakes import BAD, GOOD, LATE, Executor, context, printing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probes")


@pytest.mark.parametrize("name", probing.PROGRAMS)
def test_a_probe_compiles_and_needs_a_gpu(name: str, folder: Path) -> None:
    try:
        toolkit, compiler = probing.tools("sm_90a")
    except SystemExit as stopped:
        pytest.skip(str(stopped))
    command = probing.compilation(name, toolkit, compiler, folder)
    done = subprocess.run(command.arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: gpu-check runs the probe")
    ran = subprocess.run([folder / name], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{name}: no CUDA GPU: ") and ran.stderr.count("\n") == 1


def test_every_source_is_a_probe() -> None:
    assert {path.stem for path in probing.SOURCES.glob("*.cu")} == set(probing.PROGRAMS)


def test_the_ceilings_need_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [sys.executable, "-m", "benchmarks.gpu.ceilings"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("ceilings: no CUDA GPU")


class FakeToolkit:
    nvcc = Path("/cuda/nvcc")
    gencode = ("-gencode", "arch=compute_90a,code=sm_90a")


@pytest.fixture
def nvcc(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = probing.toolchain.Compiler(Path("/g++"))
    monkeypatch.setattr(probing, "tools", lambda arch: (FakeToolkit(), compiler))


@pytest.mark.usefixtures("nvcc")
def test_probes_are_compiled_and_run_one_by_one(tmp_path: Path) -> None:
    execute = Executor(*[GOOD] * 4, printing(records=[{"probe": "x", "wrong": 0}]))
    record = probing.run(context(tmp_path, execute), 60)
    assert record["status"] == "passed"
    assert len(record["records"]) == len(probing.ORDER)
    compiled, ran = execute.commands[:4], execute.commands[4:]
    for command in compiled:
        assert command.arguments[0] == "/cuda/nvcc"
        assert {"-Werror", "arch=compute_90a,code=sm_90a"} <= set(command.arguments)
    assert [command.arguments[-1] for command in ran] == [
        *(str(tmp_path / name) for name in probing.PROGRAMS),
        "benchmarks.gpu.ceilings",
    ]


@pytest.mark.usefixtures("nvcc")
def test_a_probe_that_fails_or_is_wrong_stops_no_other(tmp_path: Path) -> None:
    answers = [GOOD, BAD, GOOD, GOOD, LATE, printing(records=[{"probe": "x", "wrong": 3}]), GOOD]
    record = probing.run(context(tmp_path, Executor(*answers)), 60)
    assert record["status"] == "failed"
    statuses = [found["status"] for found in record["programs"].values()]
    assert statuses.count("failed") == 2 and len(statuses) == len(probing.ORDER)
    assert "does not compile" in record["reason"] and "timed out" in record["reason"]
    assert "1 results were wrong" in record["reason"]


@pytest.mark.usefixtures("nvcc")
def test_probes_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    record = probing.run(context(tmp_path, Executor(GOOD)), 1)
    assert {found["status"] for found in record["programs"].values()} == {"not run"}


def test_without_nvcc_the_ceilings_are_still_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(arch: str) -> None:
        raise SystemExit("lrcn_fast: nvcc was not found")

    monkeypatch.setattr(probing, "tools", stop)
    record = probing.run(context(tmp_path, Executor(GOOD)), 60)
    assert record["programs"]["ceilings"]["status"] == "passed"
    assert record["programs"]["graph_gap"]["reason"] == "nvcc was not found"
