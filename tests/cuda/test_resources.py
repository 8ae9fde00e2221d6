"""What ptxas reports of the built kernels: no spills, no local memory, no more registers."""

from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import resources
from build_tools.extension import make_plan
from build_tools.resources import Usage
from tests.cuda import budget

PLAN = make_plan()
needs_nvcc = pytest.mark.skipif(
    PLAN.toolkit is None, reason="no CUDA kernels: nvcc is not installed, or LRCN_FAST_CUDA=0"
)


@needs_nvcc
def test_kernels_keep_to_their_budget() -> None:
    table = budget.read(budget.TABLE.read_text())
    found = budget.complaints(resources.read(PLAN), table)
    assert not found, "\n".join(["", *found])


@needs_nvcc
def test_every_kernel_is_compiled_for_every_architecture() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for usage in resources.read(PLAN):
        found.setdefault((usage.source, usage.kernel), []).append(usage.arch)
    assert found
    for (source, kernel), built in found.items():
        archs = PLAN.toolkit_of(Path(source).with_suffix(".cu")).archs
        assert sorted(built) == sorted(archs), f"{source}: {kernel}"


@needs_nvcc
def test_compilers_warn_of_nothing() -> None:
    for source in resources.sources(PLAN):
        report = resources.object_of(PLAN, source).with_name(f"{source.name}.o.ptxas")
        lines = report.read_text().splitlines()
        assert [line for line in lines if "warning" in line.lower()] == []


REPORT = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN9lrcn_fast4stepIfLi2EEEvPf' for 'sm_80'
ptxas info    : Function properties for _ZN9lrcn_fast4stepIfLi2EEEvPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 38 registers, used 1 barriers, 384 bytes cmem[0]
ptxas info    : Compile time = 20.611 ms
ptxas info    : Compiling entry function '_ZN9lrcn_fast4stepIfLi2EEEvPf' for 'sm_90a'
ptxas info    : Function properties for _ZN9lrcn_fast4stepIfLi2EEEvPf
    24 bytes stack frame, 16 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 24 bytes cumulative stack size, 4096 bytes smem
ptxas info    : Compile time = 20.611 ms
ptxas info    : Function properties for _ZN9lrcn_fast6helperEv
    40 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
"""
FIRST = Usage("lstm", "step<float, 2>(float*)", "sm_80", 38, 0, 0, 0, 0, 1)
SECOND = Usage("lstm", "step<float, 2>(float*)", "sm_90a", 255, 16, 12, 64, 4096, 0)


def test_report_is_read() -> None:
    assert resources.parse(REPORT, "lstm") == [FIRST, SECOND]
    assert resources.parse("ptxas info    : 0 bytes gmem\n", "lstm") == []
    with pytest.raises(ValueError, match="lstm: ptxas tells no registers"):
        resources.parse(REPORT.replace("Used", "Takes"), "lstm")


def test_names_are_readable() -> None:
    symbol = "_ZN9lrcn_fast45_GLOBAL__N__9425abeb_12_lstm_cell_cu_26a4461a14forward_kernelIdEEvi"
    assert resources.readable(symbol) == "forward_kernel<double>(int)"
    assert resources.readable("plain_c_name") == "plain_c_name"


def test_missing_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "csrc" / "cuda").mkdir(parents=True)
    (tmp_path / "csrc" / "cuda" / "kernel.cu").touch()
    with pytest.raises(FileNotFoundError, match=r"kernel\.cu\.o\.ptxas: build the extension"):
        resources.read(replace(PLAN, root=tmp_path))


@pytest.mark.parametrize(
    "usage, table, words",
    [
        (FIRST, {FIRST.name: {"sm_80": 38}}, []),
        (FIRST, {"lstm: step<*>*": {"sm_80": 38}}, []),
        (FIRST, {"lstm: *": {"sm_80": 9}, "lstm: step<*>*": {"sm_80": 38}}, ["no kernel for"]),
        (FIRST, {FIRST.name: {"sm_90a": 1}}, ["on sm_80 has no number"]),
        (FIRST, {FIRST.name: {"sm_80": 37}}, ["uses 38 registers, budget.txt allows 37"]),
        (FIRST, {}, ["on sm_80 has no row"]),
        (FIRST, {FIRST.name: {"sm_80": 38}, "lstm: gone": {}}, ["no kernel for the row 'lstm: go"]),
        (
            SECOND,
            {FIRST.name: {"sm_90a": 255}},
            ["spills 16 + 12 bytes", "64 bytes of local memory", "4096 bytes of static shared"],
        ),
    ],
)
def test_complaints(usage: Usage, table: budget.Budget, words: list[str]) -> None:
    found = budget.complaints([usage], table)
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found))


def test_recording_keeps_patterns_and_other_architectures() -> None:
    old = {"lstm: step<*>*": {"sm_80": 99, "sm_89": 7}, "lstm: gone*": {"sm_80": 1}}
    other = replace(FIRST, kernel="copy(int)", registers=8)
    new = budget.recorded([FIRST, replace(FIRST, registers=40), other], old)
    assert new == {"lstm: step<*>*": {"sm_80": 40, "sm_89": 7}, "lstm: copy(int)": {"sm_80": 8}}
    assert budget.read(budget.write(new, ["sm_90a", "sm_80", "sm_89"])) == new
    with pytest.raises(ValueError, match="is no row"):
        budget.read(budget.write(new, ["sm_80"]) + " many  lstm: x\n 1  lstm: copy(int)\n")
