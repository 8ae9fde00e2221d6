"""``python -m build_tools.sanitize``: tests of the CPU kernels under GCC's sanitizers.

The extension is built for them into a copy of package and tests; the checkout's own stays.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from build_tools.errors import stop
from build_tools.extension import ROOT
from build_tools.toolchain import Compiler, find_compiler

TREE = ROOT / "build" / "sanitized"
# All that reach a kernel, but none that compiles or starts processes of its own.
TESTS = [
    *["test_lstm_forward", "test_lstm_backward", "test_lstm_scans", "test_lstm_cell"],
    *["test_lstm_step", "test_lstm_properties", "test_lstm_errors", "test_arguments"],
    *["test_cross_entropy", "test_linear_cross_entropy", "test_frames_to_input"],
    *["test_vocabulary_top_k", "test_relu_max_pool_lrn", "test_relu_max_pool_lrn_properties"],
    *["test_relu_max_pool_lrn_errors"],
]
_LIBRARIES = ("libasan.so", "libubsan.so")


def libraries(compiler: Compiler) -> list[str]:
    """The libraries that a process with sanitized code must be started with.

    Raises:
        SystemExit: the compiler has none; the message says how to get them.
    """
    found = []
    for name in _LIBRARIES:
        command = [*compiler.command, f"-print-file-name={name}"]
        found.append(subprocess.check_output(command, text=True).strip())
        if not Path(found[-1]).is_file():
            stop(
                f"{compiler.path} has no {name}: install GCC's sanitizer libraries, such as "
                "Debian's libgcc-12-dev, and set CXX to that g++"
            )
    return found


def environment(compiler: Compiler) -> Mapping[str, str]:
    """Variables for a Python that loads sanitized code."""
    return {
        "LD_PRELOAD": " ".join(libraries(compiler)),
        # Python keeps memory until the end, and a huge size is the operator's to refuse.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def lay_out() -> None:
    """Copy package and tests, and build the extension among them."""
    shutil.rmtree(TREE, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for folder in ("lrcn_fast", "tests"):
        shutil.copytree(ROOT / folder, TREE / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", TREE)
    build = [sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib", str(TREE)]
    asked = {"LRCN_FAST_SANITIZE": "1", "LRCN_FAST_CUDA": "0"}
    if subprocess.run(build, cwd=ROOT, env=os.environ | asked).returncode != 0:
        stop("the sanitized extension was not built: see above")


def main(arguments: list[str]) -> int:
    """Build, and run the tests with further arguments for pytest."""
    sanitized = environment(find_compiler())
    lay_out()
    tests = [f"tests/ops/{name}.py" for name in TESTS]
    # -s: pytest would hold back what a process says before it ends.
    command = [sys.executable, "-m", "pytest", "-s", *arguments, *tests]
    return subprocess.run(command, cwd=TREE, env=os.environ | sanitized).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
