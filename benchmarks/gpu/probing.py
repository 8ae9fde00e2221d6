"""Part "probes": what the device's primitives cost, measured by small programs of their own."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_tools import cuda, toolchain
from build_tools.settings import Settings

from ..machine import ROOT
from .plan import LEAST_SECONDS, Context, Part, Record, command_line
from .process import Command, module

SOURCES = Path(__file__).parent / "probes"
KERNELS = ROOT / "csrc" / "cuda"
"""The probes take the kernels' own primitives, so that it is these that are measured."""

PROGRAMS = ("exchange_grid", "exchange_cluster", "mma_registers", "graph_gap")
CEILINGS = "ceilings"
ORDER = (*PROGRAMS, CEILINGS)
PROGRAM_SECONDS = 25.0
_WARNINGS = ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra,-Werror"]


def tools(arch: str) -> tuple[cuda.Toolkit, toolchain.Compiler]:
    """nvcc for one architecture, and its host compiler.

    Raises:
        SystemExit: one is missing; the message says which and how to get it.
    """
    toolkit = cuda.find(Settings(cuda="1", cuda_archs=(arch,), cuda_archs_asked=True))
    assert toolkit is not None
    return toolkit, toolchain.find_compiler()


def compilation(
    name: str, toolkit: cuda.Toolkit, compiler: toolchain.Compiler, folder: Path
) -> Command:
    """nvcc's command for one program; warnings are errors."""
    flags = ["-O3", "-std=c++17", "-ccbin", str(compiler.path), *toolkit.gencode, *_WARNINGS]
    flags += ["-I", str(KERNELS)]
    files = ["-o", str(folder / name), str(SOURCES / f"{name}.cu")]
    return Command((str(toolkit.nvcc), *flags, *files))


def program(name: str, context: Context) -> Command:
    """The command that runs a probe."""
    if name == CEILINGS:
        return module(context.python, "benchmarks.gpu.ceilings")
    return Command((str(context.scratch / name),))


def _compile_all(context: Context, seconds: float) -> dict[str, str]:
    """Compiles all programs side by side; returns why, for those that did not compile."""
    try:
        toolkit, compiler = tools(context.arch)
    except SystemExit as stopped:
        return dict.fromkeys(PROGRAMS, str(stopped).removeprefix("lrcn_fast: "))
    context.scratch.mkdir(parents=True, exist_ok=True)

    def compile_one(name: str) -> str:
        (context.scratch / name).unlink(missing_ok=True)
        command = compilation(name, toolkit, compiler, context.scratch)
        done = context.execute(command, seconds, context.scratch / f"{name}.log")
        return "" if done.ok else f"does not compile: {done.reason()}"

    with ThreadPoolExecutor(min(len(PROGRAMS), os.cpu_count() or 1)) as pool:
        reasons = dict(zip(PROGRAMS, pool.map(compile_one, PROGRAMS)))
    return {name: reason for name, reason in reasons.items() if reason}


def run(context: Context, seconds: float) -> Record:
    """Compiles and runs every probe, one after the other, and keeps what they print."""
    end = time.monotonic() + seconds
    programs: dict[str, Record] = {}
    records: list[Record] = []
    broken = _compile_all(context, seconds / 2)
    for name in ORDER:
        left = end - time.monotonic()
        if name in broken:
            programs[name] = {"status": "failed", "reason": broken[name]}
        elif left < LEAST_SECONDS:
            programs[name] = {"status": "not run", "reason": "no time left"}
        else:
            done = context.execute(
                program(name, context),
                min(PROGRAM_SECONDS, left),
                context.logs / "probes.log",
                records.append,
            )
            programs[name] = {"status": "passed" if done.ok else "failed"}
            programs[name]["seconds"] = round(done.seconds, 2)
            if not done.ok:
                programs[name]["reason"] = done.reason()
        context.publish({"status": "running", "programs": programs, "records": records})
    wrong = [record for record in records if record.get("wrong") or "failed" in record]
    reasons = [
        f"{name}: {found['reason']}" for name, found in programs.items() if "reason" in found
    ]
    if wrong:
        reasons.append(f"{len(wrong)} results were wrong or failed")
    record: Record = {"programs": programs, "records": records}
    if reasons:
        return {"status": "failed", "reason": "; ".join(reasons), **record}
    return {"status": "passed", **record}


def _plan(context: Context) -> list[str]:
    try:
        toolkit, compiler = tools(context.arch)
    except SystemExit as stopped:
        lines = [str(stopped)]
    else:
        lines = command_line(
            compilation(name, toolkit, compiler, context.scratch) for name in PROGRAMS
        )
    return lines + command_line(program(name, context) for name in ORDER)


PART = Part("probes", 45.0, "what the device's primitives cost", _plan, run)
