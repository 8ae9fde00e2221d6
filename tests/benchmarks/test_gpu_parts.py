"""Build, tests and sanitizers with commands that only seem to run."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import build, process, sanitizer, suite
from benchmarks.gpu.process import Command
from benchmarks.machine import ROOT
from tests.benchmarks.gpu_fakes import BAD, GOOD, LATE, Executor, context, printing


def test_the_build_is_for_the_device_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "missing", lambda arch: [])
    execute = Executor(GOOD)
    assert build.run(context(tmp_path, execute), 60)["status"] == "passed"
    (command,) = execute.commands
    assert command.arguments == ("python", "setup.py", "build_ext", "--inplace")
    assert command.environment == {"LRCN_FAST_CUDA": "1", "LRCN_FAST_CUDA_ARCHS": "sm_90a"}
    failed = build.run(context(tmp_path, Executor(BAD)), 60)
    assert failed["status"] == "failed" and "nothing is well" in failed["reason"]


def test_the_build_says_all_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise SystemExit("lrcn_fast: ninja is needed to build: pip install ninja")

    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(build.toolchain, "find_torch", lambda: None)
    monkeypatch.setattr(build.toolchain, "find_ninja", stop)
    monkeypatch.setattr(build.cuda, "find", lambda settings: settings)
    record = build.run(context(tmp_path, Executor(GOOD)), 60)
    assert record["status"] == "not run"
    assert record["missing"] == [
        "setuptools>=77 is needed to build: pip install 'setuptools>=77'",
        "ninja is needed to build: pip install ninja",
    ]


LOG = """\
tests/gpu/test_a.py::test_one[native-8] PASSED [ 20%]
tests/gpu/test_a.py::test_two[triton c] FAILED [ 40%]
{"failed_test": "tests/gpu/test_a.py::test_two[triton c]", "lines": ["E   assert 1 == 2"]}
tests/gpu/test_a.py::test_three SKIPPED (no reason) [ 60%]
tests/gpu/test_a.py::test_four PASSED [ 80%]
FAILED tests/gpu/test_a.py::test_two - assert 1 == 2
"""
FAILURE = {"failed_test": "test_two[triton c]", "lines": ["E   assert 1 == 2"]}


@pytest.fixture
def gpu_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of tests, and all packages that they need."""
    (tmp_path / suite.FOLDER).mkdir(parents=True)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: name)


@pytest.mark.usefixtures("gpu_tests")
def test_tests_are_counted_and_failures_kept(tmp_path: Path) -> None:
    execute = Executor(printing(LOG), printing(LOG, [FAILURE], then=BAD))
    published: list[dict[str, Any]] = []
    record = suite.run(context(tmp_path, execute, publish=published.append), 60)
    for command, chosen in zip(execute.commands, ("not triton", "triton"), strict=True):
        start = ("python", "-m", "pytest", "-m", "gpu", "tests/gpu", "-k", chosen)
        assert command.arguments[: len(start)] == start
    assert execute.limits[0] < 0.7 * 60 < execute.limits[1]
    assert record["status"] == "failed" and record["reason"].startswith("triton: exit status 1")
    assert (record["passed"], record["failed"], record["skipped"]) == (4, 2, 2)
    assert [found["of_backend"] for found in record["runs"].values()] == [1, 1]
    assert record["failures"] == [{"name": "test_two[triton c]", "lines": ["E   assert 1 == 2"]}]
    assert published == [{"status": "running", "failures": record["failures"]}]


@pytest.mark.usefixtures("gpu_tests")
def test_a_test_run_cut_short_counts_what_ran(tmp_path: Path) -> None:
    record = suite.run(context(tmp_path, Executor(printing(LOG, [FAILURE], then=LATE))), 60)
    assert (record["status"], record["passed"]) == ("failed", 4)
    assert "native: timed out" in record["reason"] and "triton: timed out" in record["reason"]
    assert record["runs"]["native"]["last_line"] == "still at it"
    assert len(record["failures"]) == 2


@pytest.mark.usefixtures("gpu_tests")
def test_a_backend_whose_tests_are_all_skipped_is_no_success(tmp_path: Path) -> None:
    only = (
        "tests/gpu/test_a.py::test_one[triton] PASSED [ 20%]\n"
        "tests/gpu/test_a.py::test_one[native] SKIPPED (no reason) [ 60%]\n"
    )
    record = suite.run(context(tmp_path, Executor(printing(only))), 60)
    assert (record["status"], record["reason"]) == ("failed", "native: no test of native ran")


def test_triton_is_tested_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / suite.FOLDER).mkdir(parents=True)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: name != "triton" or None)
    execute = Executor(printing(LOG))
    record = suite.run(context(tmp_path, execute), 60)
    assert record["status"] == "passed" and len(execute.commands) == 1
    assert record["runs"]["triton"]["status"] == "not run"


def test_the_tests_say_all_packages_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: None)
    record = suite.run(context(tmp_path, Executor(GOOD)), 60)
    assert record["status"] == "not run"
    assert record["missing"][1] == "hypothesis is needed for the tests: pip install hypothesis"
    assert len(record["missing"]) == len(suite.PACKAGES)


def test_failures_are_told_as_they_happen(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef broken(): raise RuntimeError('{no}')\n"
        "def test_a(): assert 1 == 2\ndef test_b(broken): pass\ndef test_c(): pass\n"
    )
    (tmp_path / "test_no.py").write_text("import nothing_of_that_name\n")
    options = ["-v", "--tb=short", "-p", "no:cacheprovider", "-p", "benchmarks.gpu.told"]
    options += ["-c", os.devnull, "--rootdir", str(tmp_path), "--continue-on-collection-errors"]
    records: list[dict[str, Any]] = []
    command = Command((sys.executable, "-m", "pytest", *options, str(tmp_path)))
    done = process.run(command, 60, tmp_path / "log", records.append)
    assert done.code == 1
    assert [record["failed_test"] for record in records] == [
        "test_no.py",
        "test_it.py::test_a",
        "test_it.py::test_b",
    ]
    assert records[1]["lines"][-1] == "E   assert 1 == 2"
    log = (tmp_path / "log").read_text()
    assert suite.counts(log) == {"passed": 1, "failed": 2, "skipped": 0}


def test_tests_that_are_not_there_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    assert suite.run(context(tmp_path, Executor(GOOD)), 60)["status"] == "not run"


def test_each_sanitizer_runs_the_smallest_calls_without_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sanitizer, "find", lambda: "/cuda/compute-sanitizer")
    calls = [{"call": "a"}, {"call": "b", "refused": "no float64"}]
    clean = printing("========= ERROR SUMMARY: 0 errors\n", calls)
    execute = Executor(clean)
    record = sanitizer.run(context(tmp_path, execute), 60)
    assert record["status"] == "passed"
    assert record["tools"]["racecheck"]["calls"] == 1
    assert record["tools"]["racecheck"]["refused"] == calls[1:]
    assert sorted(command.arguments[2] for command in execute.commands) == sorted(sanitizer.TOOLS)
    for command in execute.commands:
        assert command.environment == {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
        assert command.arguments[-3:] == ("python", "-m", "benchmarks.gpu.smallest")
        where = command.arguments.index("--kernel-name")
        assert command.arguments[where + 1] == "kernel_substring=lrcn_fast"
    assert (tmp_path / "sanitizer.log").read_text().count("0 errors") == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (printing("========= ERROR SUMMARY: 2 errors\n", [{"call": "a"}]), "2 errors in 1 calls"),
        (
            printing("= RACECHECK SUMMARY: 1 hazard displayed (1 error)\n", [{"call": "a"}]),
            "1 errors in 1 calls",
        ),
        (printing("", [{"call": "a"}]), "None errors in 1 calls"),
        (
            printing("= ERROR SUMMARY: 0 errors\n", [{"call": "a", "refused": "no kernel"}]),
            "nothing ran: no kernel",
        ),
        (BAD, "nothing is well"),
        (LATE, "timed out"),
    ],
)
def test_whatever_a_sanitizer_finds_fails(
    answer: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sanitizer, "find", lambda: "compute-sanitizer")
    record = sanitizer.run(context(tmp_path, Executor(answer)), 60)
    assert record["status"] == "failed" and reason in record["reason"]


def test_the_sanitizers_look_at_all_kernels_of_ours() -> None:
    """By the namespace: a kernel outside of it would go unseen."""
    sources = [path.read_text() for path in (ROOT / "csrc" / "cuda").glob("*.cu*")]
    with_kernels = [source for source in sources if "__global__" in source]
    assert len(with_kernels) > 5
    for source in with_kernels:
        begin, end = source.index("__global__"), source.rindex("__global__")
        assert f"\nnamespace {sanitizer.KERNELS}" in source[:begin]
        assert f"\n}}  // namespace {sanitizer.KERNELS}" in source[end:]


def test_no_sanitizer_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitizer, "find", lambda: None)
    record = sanitizer.run(context(tmp_path, Executor(GOOD)), 60)
    assert record["status"] == "not run" and "is not installed" in record["reason"]


def test_this_machine_has_what_its_build_needs() -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("there is no nvcc")
    assert build.missing("sm_90a") == []
    assert "does not know sm_999" in build.missing("sm_999")[0]
