"""The sanitizers find faults in code with the flags of ``make sanitize``."""

import os
import sys
from pathlib import Path

import pytest

from build_tools import flags, sanitize, toolchain
from tests.packaging.run import ROOT, environment, run

FAULTY = """\
#include <cstdint>
#include <vector>
extern "C" __attribute__((visibility("default"))) int kernel(int32_t size, int32_t index) {
  std::vector<int32_t> values(size, 1);
  return values.data()[index] + (size + 2147483000);
}
"""


@pytest.mark.parametrize(
    ("size", "index", "finding"),
    [(3, 2, ""), (3, 3, "heap-buffer-overflow"), (1000, 2, "signed integer overflow")],
)
def test_fault_is_found(size: int, index: int, finding: str, tmp_path: Path) -> None:
    compiler = toolchain.find_compiler()
    (tmp_path / "kernel.cpp").write_text(FAULTY)
    library = tmp_path / "kernel.so"
    command = [*compiler.command, *flags.cxx(werror=True, sanitize=True), "-shared"]
    run([*command, str(tmp_path / "kernel.cpp"), "-o", library], cwd=ROOT)
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).kernel({size}, {index})"
    sanitized = environment(**sanitize.environment(compiler))
    shown = run([sys.executable, "-c", code], cwd=tmp_path, env=sanitized, fails=bool(finding))
    assert finding in shown and bool(shown) == bool(finding)


def test_missing_library_is_named(tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text('#!/bin/sh\necho "${1#-print-file-name=}"\n')
    os.chmod(compiler, 0o755)
    with pytest.raises(SystemExit, match=r"c\+\+ has no libasan.so: install GCC's sanitizer"):
        sanitize.libraries(toolchain.Compiler(compiler))


def test_tests_exist() -> None:
    assert [name for name in sanitize.TESTS if not (ROOT / f"tests/ops/{name}.py").is_file()] == []
