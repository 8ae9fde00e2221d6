"""Compiles the emulator and the bindings of the kernels into one module, with ninja.

``python -m tests.emulator.build`` prints the module's path.
"""

import fcntl
import re
import subprocess
import sysconfig
from pathlib import Path

import pybind11

from build_tools.toolchain import find_compiler, find_ninja

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "emulator" / (sysconfig.get_config_var("SOABI") or "python")
MODULE = FOLDER / "lrcn_fast_emulator.so"

FLAGS = [
    *["-std=c++17", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"],
    *["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function"],
    *["-Itests/emulator/include", "-Icsrc/cuda", "-Icsrc/include"],
    *["-isystem", pybind11.get_include(), "-isystem", sysconfig.get_path("include")],
]

# In a source that asks CUDA's runtime itself; the emulator's has what the kernels need of that.
_CUDA_RUNTIME = re.compile(r"\bcuda[A-Z]\w+")

_RULES = """\
ninja_required_version = 1.8
builddir = {folder}

rule cxx
  command = {compiler} {flags} $optimize -MMD -MF $out.d -x c++ -c $in -o $out
  deps = gcc
  depfile = $out.d

rule link
  command = {compiler} -shared $in -o $out.partial && mv $out.partial $out

"""


def _escaped(path: Path) -> str:
    return str(path).replace(" ", "$ ").replace(":", "$:")


def _kernels() -> list[Path]:
    """Sources that are compiled as they are."""
    sources = (ROOT / "csrc" / "cuda").glob("*.cu")
    return [path for path in sources if not _CUDA_RUNTIME.search(path.read_text())]


def _ninja_file() -> str:
    sources = sorted([*HERE.glob("runtime/*.cpp"), *HERE.glob("bindings/*.cpp"), *_kernels()])
    # Bindings take longest.
    sources.sort(key=lambda path: path.parent.name)
    objects = [FOLDER / f"{path.parent.name}_{path.stem}.o" for path in sources]
    compiler = " ".join(find_compiler().command)
    lines = [_RULES.format(folder=_escaped(FOLDER), compiler=compiler, flags=" ".join(FLAGS))]
    for source, object_file in zip(sources, objects, strict=True):
        path = source.relative_to(ROOT)
        lines.append(f"build {_escaped(object_file)}: cxx {_escaped(path)}\n")
        # Bindings take longer to compile than their kernels take to run.
        lines.append(f"  optimize = {'-O3' if path.parent.name == 'runtime' else '-O1'}\n")
    lines.append(f"build {_escaped(MODULE)}: link {' '.join(map(_escaped, objects))}\n")
    return "".join(lines)


def build() -> Path:
    """Compile what changed.

    Returns:
        The module's path.

    Raises:
        RuntimeError: a compiler failed; the message holds its words.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = FOLDER / "build.ninja"
        file.write_text(_ninja_file())
        done = subprocess.run(
            [find_ninja(), "-f", file],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the emulator was not built:\n{done.stdout}")
    return MODULE


if __name__ == "__main__":
    print(build())
