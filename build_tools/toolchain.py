"""Finds torch's headers, the C++ compiler and ninja."""

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from itertools import takewhile
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


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler, and what CXX puts before and after it.

    Attributes:
        path: the compiler itself.
        flags: flags that every call of it is given, to link too.
        launchers: programs, such as ccache, that every call goes through.
    """

    path: Path
    flags: tuple[str, ...] = ()
    launchers: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The words that a command line begins with."""
        return [*self.launchers, str(self.path), *self.flags]


def find_compiler() -> Compiler:
    """Find the C++ compiler: CXX, else g++, c++ or clang++.

    As in make, CXX may hold flags (``g++ -m64``) and a launcher (``ccache g++``).

    Raises:
        SystemExit: there is none, or Python's headers are missing.
    """
    launchers, names, flags = _asked_for()
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        stop(
            f"no C++ compiler found (looked for {', '.join(names)}): install one, such as "
            "Debian's g++, or set CXX to its path"
        )
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        stop(f"{headers} has no Python.h: install Python's headers, such as Debian's python3-dev")
    return Compiler(Path(path), flags, launchers)


_LAUNCHERS = ("ccache", "sccache", "distcc", "icecc")


def _asked_for() -> tuple[tuple[str, ...], list[str], tuple[str, ...]]:
    """The launchers, the names of the compiler to try, and the flags, from CXX."""
    text = os.environ.get("CXX", "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        stop(f"CXX={text!r} is no command line: {error}")
    launchers = list(takewhile(lambda word: Path(word).name in _LAUNCHERS, words))
    for launcher in launchers:
        if shutil.which(launcher) is None:
            stop(f"CXX={text!r}: {launcher} was not found: install it or leave it out of CXX")
    rest = words[len(launchers) :]
    return tuple(launchers), rest[:1] or ["g++", "c++", "clang++"], tuple(rest[1:])


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
