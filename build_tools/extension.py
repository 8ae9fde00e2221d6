"""The ``build_ext`` command of setup.py."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext

from build_tools import cuda, settings
from build_tools.errors import stop
from build_tools.plan import Plan
from build_tools.toolchain import find_compiler, find_ninja, find_torch

ROOT = Path(__file__).resolve().parent.parent


def make_plan() -> Plan:
    """What to build with the tools and variables of this machine.

    Raises:
        SystemExit: something is missing; the message says what and how to get it.
    """
    asked = settings.read()
    torch = find_torch()
    # One folder for each Python and torch, so that going back and forth compiles nothing anew.
    # It is not setuptools' own temporary folder: an editable install throws that away.
    name = f"{sys.implementation.cache_tag}-torch{torch.version}"
    objects = Path("build", "objects", f"{name}-sanitize" if asked.sanitize else name)
    toolkit = cuda.find(asked)
    return Plan(ROOT, objects, find_compiler(), torch, toolkit, asked.werror, asked.sanitize)


def run_ninja(plan: Plan) -> None:
    """Compile what changed.

    Raises:
        SystemExit: a compiler failed; its own words have been printed.
    """
    folder = plan.root / plan.objects
    folder.mkdir(parents=True, exist_ok=True)
    jobs = os.environ.get("MAX_JOBS") or str(_cpus())
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = folder / "build.ninja"
        file.write_text(plan.ninja_file())
        ninja = subprocess.Popen(
            [find_ninja(), "-f", file.relative_to(plan.root), "-j", jobs],
            cwd=plan.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ninja.stdout is not None
        failed = []
        for line in ninja.stdout:
            if line != "ninja: no work to do.\n":
                print(line, end="", flush=True)
            if line.startswith("FAILED:"):
                failed.append(line)
        code = ninja.wait()
    if any(".cu.o" in line for line in failed):
        stop(f"{plan.toolkit and plan.toolkit.nvcc} failed: LRCN_FAST_CUDA=0 builds without CUDA")
    if code != 0:
        stop("the extension was not built: see the compiler's errors above")


def _cpus() -> int:
    """The CPUs that this process may run on: in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BuildExtension(build_ext):
    """Hands the extension to ninja and puts what it links where setuptools wants it."""

    def build_extension(self, ext: Extension) -> None:
        """Build ``lrcn_fast._C``."""
        plan = make_plan()
        run_ninja(plan)
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Replaced in one move: a process that has the old file mapped keeps it.
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(plan.root / plan.library, partial)
        partial.chmod(0o755)
        os.replace(partial, target)
