"""Finds torch's headers, the C++ compiler and ninja."""

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from build_tools.errors import stop

MINIMUM_TORCH = (2, 11)


@dataclass(frozen=True)
class Torch:
    """The torch to build against: its version, headers and libraries."""

    version: str
    include: Path
    library: Path


def find_torch() -> Torch:
    """Find torch without importing it, which would take longer than a build with nothing to do.

    Raises:
        SystemExit: torch is missing or too old.
    """
    wanted = f"torch>={'.'.join(map(str, MINIMUM_TORCH))}"
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        stop(
            f"{wanted} is needed to build: pip install '{wanted}', "
            "then build with --no-build-isolation"
        )
    version = importlib.metadata.version("torch")
    if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_TORCH:
        stop(f"{wanted} is needed to build, found {version}")
    home = Path(spec.origin).parent
    return Torch(version, home / "include", home / "lib")


def find_compiler() -> Path:
    """Find the C++ compiler: CXX, else g++, c++ or clang++.

    Raises:
        SystemExit: there is none, or Python's headers are missing.
    """
    asked = shlex.split(os.environ.get("CXX", ""))
    names = asked[-1:] or ["g++", "c++", "clang++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        stop(
            f"no C++ compiler found (looked for {', '.join(names)}): install one, such as "
            "Debian's g++, or set CXX to its path"
        )
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        stop(f"{headers} has no Python.h: install Python's headers, such as Debian's python3-dev")
    return Path(compiler)


def find_ninja() -> Path:
    """Find ninja beside the running Python or on the PATH.

    Raises:
        SystemExit: there is none.
    """
    places = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    path = os.pathsep.join([*places, os.environ.get("PATH", "")])
    ninja = shutil.which("ninja", path=path)
    if ninja is None:
        stop("ninja is needed to build: pip install ninja")
    return Path(ninja)
