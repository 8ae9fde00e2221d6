"""Running things as a user would: other processes, clean environments."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OURS = ("PYTHON", "LRCN_FAST_", "CUDA", "CXX")


def environment(**changes: str) -> dict[str, str]:
    """The environment without what would change an import or a build, and with ``changes``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "PYTHONNOUSERSITE": "1", **changes}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    fails: bool = False,
) -> str:
    """Run a command and return what it printed, on both streams.

    Args:
        command: program and arguments.
        cwd: the folder to run in.
        env: the environment, ``environment()`` by default.
        fails: whether a status other than zero is expected.
    """
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment() if env is None else env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def run_python(code: str, *, cwd: Path, fails: bool = False, **changes: str) -> str:
    """Run code in a new interpreter of the kind that runs the tests."""
    return run([sys.executable, "-c", code], cwd=cwd, env=environment(**changes), fails=fails)
