"""Choice of the CPU's instruction set."""

import os
import subprocess
import sys

import pytest

from lrcn_fast import _loader

extension = _loader.load()
KNOWN = ("avx512bf16", "avx512", "avx2", "baseline")


def test_widest_first_and_baseline_always() -> None:
    assert extension is not None, _loader.reason
    names = extension.cpu_isas()
    assert names[-1] == "baseline"
    assert list(names) == [name for name in KNOWN if name in names]
    assert extension.cpu_isa() in names


def test_unknown_names_are_refused_and_change_nothing() -> None:
    before = extension.cpu_isa()
    for wrong in ("avx1024", "", "AVX2"):
        with pytest.raises(ValueError, match="cpu_isas"):
            extension.set_cpu_isa(wrong)
    with pytest.raises(TypeError):
        extension.set_cpu_isa(2)
    assert extension.cpu_isa() == before


def run(value: str) -> subprocess.CompletedProcess[str]:
    """cpu_isa() of a fresh process with LRCN_FAST_CPU_ISA set."""
    code = "from lrcn_fast import _loader; print(_loader.load().cpu_isa())"
    environment = {**os.environ, "LRCN_FAST_CPU_ISA": value}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_environment_variable() -> None:
    for name in (extension.cpu_isas()[0], "baseline"):
        assert run(name).stdout.strip() == name
    failed = run("avx1024")
    assert failed.returncode != 0
    assert "LRCN_FAST_CPU_ISA" in failed.stderr and "avx1024" in failed.stderr
