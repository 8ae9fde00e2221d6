"""Part "build": the extension with its CUDA kernels, for the GPU that is there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from build_tools import cuda, settings, toolchain

from .plan import Context, Part, Record, command_line
from .process import Command

SETUPTOOLS = "setuptools>=77"


def command(context: Context) -> Command:
    """The build as a user would type it, for one architecture."""
    return Command(
        (context.python, "setup.py", "build_ext", "--inplace"),
        {"LRCN_FAST_CUDA": "1", "LRCN_FAST_CUDA_ARCHS": context.arch},
    )


def missing(arch: str) -> list[str]:
    """What the build needs and this machine lacks, a line each."""
    lines = []
    if importlib.util.find_spec("setuptools") is None:
        lines.append(f"{SETUPTOOLS} is needed to build: pip install '{SETUPTOOLS}'")
    asked = settings.Settings(cuda="1", cuda_archs=(arch,), cuda_archs_asked=True)
    checks: list[Callable[[], object]] = [
        toolchain.find_torch,
        toolchain.find_ninja,
        toolchain.find_compiler,
        lambda: cuda.find(asked),
    ]
    for check in checks:
        try:
            check()
        except SystemExit as stopped:
            lines.append(str(stopped).removeprefix("lrcn_fast: "))
    return lines


def run(context: Context, seconds: float) -> Record:
    """Builds; where something is missing, says what and leaves the extension as it is."""
    if lacking := missing(context.arch):
        return {"status": "not run", "reason": "; ".join(lacking), "missing": lacking}
    done = context.execute(command(context), seconds, context.logs / "build.log")
    record: Record = {"status": "passed" if done.ok else "failed", "arch": context.arch}
    return record if done.ok else {**record, "reason": done.reason(), "tail": list(done.tail)}


PART = Part(
    "build",
    115.0,
    "the extension with its CUDA kernels",
    lambda context: command_line([command(context)]),
    run,
)
