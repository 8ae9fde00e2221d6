"""Where and with what a result was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


# Processes that torch.compile keeps at hand would count as other programs.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def cpu_model() -> str:
    """The processor's name as the operating system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cpu_isa() -> str:
    """Instruction set that lrcn_fast's kernels use, or torch's own where there is no extension."""
    try:
        from lrcn_fast import _loader
    except ImportError:
        extension = None
    else:
        extension = _loader.load()
    if extension is not None:
        return str(extension.cpu_isa())
    import torch

    return torch.backends.cpu.get_cpu_capability().lower()


def git_commit() -> str | None:
    """Hash of the commit, with "+" when tracked files differ; None outside a repository."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return None
    # These are written by the runs themselves, and change nothing that is measured.
    written = ("benchmarks/results", "docs", "README.md")
    paths = ("--", ".", *(f":(exclude){path}" for path in written))
    return commit + ("+" if git("status", "--porcelain", "--untracked-files=no", *paths) else "")


def version(package: str) -> str | None:
    """The version of an installed package, None of one that is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, Any]:
    """Machine, versions, commit and date, as they go into the JSON."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:
        available = os.cpu_count() or 1
    # Not at the top: the root and the commit are asked for where neither may be there.
    import torch

    import lrcn_fast

    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": {
            "cpu": cpu_model(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "cores": available,
            "threads": torch.get_num_threads(),
            "isa": cpu_isa(),
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "lrcn_fast": getattr(lrcn_fast, "__version__", None),
            "numpy": version("numpy"),
            "onnxruntime": version("onnxruntime"),
        },
    }


def _busy_seconds() -> float | None:
    """CPU time that all programs and the hypervisor took since the system started, all cores."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _idle, _wait, interrupt, soft, steal = map(int, fields)
    except (OSError, ValueError):
        return None
    ticks = user + nice + system + interrupt + soft + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


class OtherLoad:
    """Share of the machine that other programs used since this object was made.

    It matters to the ratios, and not alike to both sides: threads that spin at a barrier lose far
    more to a neighbour than threads that rarely meet.
    """

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._own = _own_seconds()
        self._busy = _busy_seconds()

    def share(self) -> float | None:
        """Between 0 and 1; None where the system doesn't tell."""
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        others = busy - self._busy - (_own_seconds() - self._own)
        wall = time.perf_counter() - self._start
        return min(1.0, max(0.0, others / (wall * (os.cpu_count() or 1))))
