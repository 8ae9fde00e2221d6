"""What the compilers made: GPU resources, and instruction sets that stay where they belong."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import flags
from build_tools.extension import make_plan
from build_tools.settings import DEFAULT_CUDA_ARCHS
from tests.packaging.run import ROOT, run

PLAN = make_plan()
KERNELS = sorted((ROOT / "csrc" / "cuda").glob("*.cu"))
# Registers a thread may use: with 64, an SM still holds 1024 threads.
REGISTERS = {"lstm_cell.cu": 64, "launch_error.cu": 0}


@pytest.mark.skipif(PLAN.toolkit is None, reason="nvcc is not installed")
@pytest.mark.parametrize("arch", DEFAULT_CUDA_ARCHS)
@pytest.mark.parametrize("source", KERNELS, ids=lambda path: path.name)
def test_kernel_compiles_without_warnings_or_spills(
    source: Path, arch: str, tmp_path: Path
) -> None:
    assert PLAN.toolkit is not None
    one = replace(PLAN.toolkit, archs=(arch,))
    options = [*flags.nvcc(one, PLAN.compiler, werror=True), "-Xptxas", "-v"]
    done = subprocess.run(
        [one.nvcc, *options, "-c", source, "-o", tmp_path / "kernel.o"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    memory = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores", report)
    registers = [int(number) for number in re.findall(r"Used (\d+) registers", report)]
    assert len(memory) == len(registers)
    assert set(memory) <= {("0", "0")}
    assert max(registers, default=0) <= REGISTERS.get(source.name, 255)


@pytest.mark.parametrize("wide", [name for name in flags.isas() if name != "baseline"])
def test_wide_instruction_sets_share_no_function(wide: str) -> None:
    """A weak symbol is merged with its namesakes, and then runs on lesser CPUs too."""
    objects = sorted((ROOT / PLAN.objects / "cpu" / "isa").glob(f"*.{wide}.o"))
    assert objects, "build the extension in place first: make test does"
    symbols = run(["nm", "-C", *objects], cwd=ROOT)
    weak = re.findall(r"^[0-9a-f]+ [WVu] (.+)$", symbols, re.MULTILINE)
    assert [name for name in weak if f"::{wide}::" not in name] == []
