"""Part "tests": pytest over tests/gpu, a run for each backend."""

from __future__ import annotations

import importlib.util
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..machine import ROOT
from .plan import LEAST_SECONDS, Context, Part, Record, command_line
from .process import Command

FOLDER = "tests/gpu"
PACKAGES = ("pytest", "hypothesis", "numpy")
COUNTED = ("passed", "failed", "skipped")
_OUTCOME = re.compile(
    r"^(?P<name>\S+::.+?) (?P<outcome>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", re.MULTILINE
)
_COUNTED = {
    "PASSED": "passed",
    "XPASS": "passed",
    "FAILED": "failed",
    "ERROR": "failed",
    "SKIPPED": "skipped",
    "XFAIL": "skipped",
}


@dataclass(frozen=True)
class Run:
    """A run of pytest.

    Attributes:
        backend: whose tests must not all be skipped.
        chosen: ``-k``; the first run also has the tests that are of no backend.
        share: of the part's time that is left when the run begins.
    """

    backend: str
    chosen: str
    share: float


RUNS = (Run("native", "not triton", 0.65), Run("triton", "triton", 1.0))


def command(context: Context, run: Run) -> Command:
    """pytest on tests that need a GPU; each outcome is printed as soon as it is known."""
    options = ["-v", "--tb=short", "-p", "no:cacheprovider", "-p", "benchmarks.gpu.told"]
    choice = ["-m", "gpu", FOLDER, "-k", run.chosen]
    return Command((context.python, "-m", "pytest", *choice, *options))


def counts(log: str) -> Record:
    """What pytest -v printed, counted: also of a run that was cut short."""
    found = Counter(_COUNTED[match["outcome"]] for match in _OUTCOME.finditer(log))
    return {name: found[name] for name in COUNTED}


def ran(log: str, backend: str) -> int:
    """How many tests of a backend passed or failed."""
    of_backend = [
        match[0] for match in _OUTCOME.finditer(log) if backend in match["name"].partition("[")[2]
    ]
    found = counts("\n".join(of_backend))
    return int(found["passed"] + found["failed"])


def missing() -> list[str]:
    """What the tests need and this machine lacks, a line each."""
    return [
        f"{name} is needed for the tests: pip install {name}"
        for name in PACKAGES
        if importlib.util.find_spec(name) is None
    ]


def _one(context: Context, run: Run, seconds: float, failures: list[Record]) -> Record:
    """Runs the tests of a backend; what fails is published and appended at once."""

    def take(record: dict[str, Any]) -> None:
        if "failed_test" in record:
            failures.append({"name": record["failed_test"], "lines": record["lines"]})
            context.publish({"status": "running", "failures": failures})

    log = context.logs / f"tests-{run.backend}.log"
    log.unlink(missing_ok=True)
    done = context.execute(command(context, run), seconds, log, take)
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    record: Record = {**counts(text), "of_backend": ran(text, run.backend)}
    if not done.ok:
        record["reason"] = done.reason()
        if done.status != "ended":
            record["last_line"] = done.tail[-1] if done.tail else ""
    elif not record["of_backend"]:
        # A run in which everything is skipped has shown nothing.
        record["reason"] = f"no test of {run.backend} ran"
    return {"status": "failed" if "reason" in record else "passed", **record}


def run(context: Context, seconds: float) -> Record:
    """Runs the tests of one backend after the other and counts them."""
    if lacking := missing():
        return {"status": "not run", "reason": "; ".join(lacking), "missing": lacking}
    if not (ROOT / FOLDER).is_dir():
        return {"status": "not run", "reason": f"{FOLDER} does not exist"}
    end = time.monotonic() + seconds
    failures: list[Record] = []
    runs: dict[str, Record] = {}
    for one in RUNS:
        left = end - time.monotonic()
        if one.backend == "triton" and importlib.util.find_spec("triton") is None:
            runs[one.backend] = {"status": "not run", **dict.fromkeys(COUNTED, 0)}
        elif left < LEAST_SECONDS:
            reason = {"status": "failed", "reason": "no time left"}
            runs[one.backend] = {**reason, **dict.fromkeys(COUNTED, 0)}
        else:
            runs[one.backend] = _one(context, one, one.share * left, failures)
    total = {name: sum(found[name] for found in runs.values()) for name in COUNTED}
    record: Record = {"runs": runs, **total, "failures": failures}
    reasons = [f"{name}: {found['reason']}" for name, found in runs.items() if "reason" in found]
    if reasons:
        return {"status": "failed", "reason": "; ".join(reasons), **record}
    return {"status": "passed", **record}


PART = Part(
    "tests",
    120.0,
    "the tests that need a GPU",
    lambda context: command_line(command(context, one) for one in RUNS),
    run,
)
