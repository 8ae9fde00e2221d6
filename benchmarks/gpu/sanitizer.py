"""Part "sanitizer": compute-sanitizer's tools on the smallest calls."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .plan import Context, Part, Record, command_line
from .process import Command

TOOLS = ("memcheck", "racecheck", "synccheck")
PROGRAM = "compute-sanitizer"
ERROR_CODE = 86
KERNELS = "lrcn_fast"
"""The namespace of all our kernels, a part of their mangled names, which is what the tools compare.
torch's own are left alone: they would take most of the time."""

_SUMMARIES = (
    re.compile(r"ERROR SUMMARY: (\d+) error"),
    re.compile(r"RACECHECK SUMMARY: (\d+) hazard"),
)


def find() -> str | None:
    """compute-sanitizer on the PATH or in the toolkit's usual place."""
    return shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/local/cuda/bin")


def command(context: Context, tool: str, program: str = PROGRAM) -> Command:
    """One tool over the smallest calls. torch's cache of memory would hide writes past an end."""
    # torch asks the driver about pointers that are none of its own: such errors are no faults.
    options = ["--tool", tool, "--error-exitcode", str(ERROR_CODE), "--report-api-errors", "no"]
    options += ["--kernel-name", f"kernel_substring={KERNELS}"]
    return Command(
        (program, *options, context.python, "-m", "benchmarks.gpu.smallest"),
        {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
    )


def errors(log: str) -> int | None:
    """The number of errors or hazards in a tool's summary; None where there is no summary."""
    for summary in _SUMMARIES:
        if found := summary.findall(log):
            return int(found[-1])
    return None


def _one(context: Context, tool: str, program: str, seconds: float) -> Record:
    cases: list[Record] = []
    log = context.scratch / f"{tool}.log"
    log.unlink(missing_ok=True)
    done = context.execute(command(context, tool, program), seconds, log, cases.append)
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    refused = [case for case in cases if "refused" in case]
    failed = [case for case in cases if "failed" in case]
    ran = len(cases) - len(refused) - len(failed)
    record: Record = {"errors": errors(text), "calls": ran, "refused": refused, "failed": failed}
    if done.ok and record["errors"] == 0 and ran > 0:
        return {"status": "passed", **record}
    if not done.ok:
        reason = done.reason()
    elif refused and not ran:
        reason = f"nothing ran: {refused[0]['refused']}"
    else:
        reason = f"{record['errors']} errors in {ran} calls"
    return {"status": "failed", "reason": reason, **record}


def _join(logs: list[Path], target: Path) -> None:
    with target.open("w", encoding="utf-8") as file:
        for log in logs:
            if log.exists():
                file.write(log.read_text(encoding="utf-8", errors="replace"))


def run(context: Context, seconds: float) -> Record:
    """Runs all tools at the same time: nothing is timed here."""
    program = find()
    if program is None:
        return {"status": "not run", "reason": f"{PROGRAM} is not installed"}
    context.scratch.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        runs = {tool: pool.submit(_one, context, tool, program, seconds) for tool in TOOLS}
        tools = {tool: started.result() for tool, started in runs.items()}
    context.logs.mkdir(parents=True, exist_ok=True)
    _join([context.scratch / f"{tool}.log" for tool in TOOLS], context.logs / "sanitizer.log")
    bad = [f"{tool}: {record['reason']}" for tool, record in tools.items() if "reason" in record]
    record: Record = {"status": "failed" if bad else "passed", "tools": tools}
    return {**record, "reason": "; ".join(bad)} if bad else record


PART = Part(
    "sanitizer",
    60.0,
    "memory errors, races and misuse of barriers in the smallest calls",
    lambda context: command_line(command(context, tool) for tool in TOOLS),
    run,
)
