"""Part "tests": pytest over tests/gpu."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from ..machine import ROOT
from .plan import Context, Part, Record, command_line
from .process import Command

FOLDER = "tests/gpu"
LAST_LINES = 8
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


def command(context: Context, report: Path) -> Command:
    """pytest on the tests that need a GPU; each outcome is printed as soon as it is known."""
    options = ["-v", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}"]
    return Command((context.python, "-m", "pytest", "-m", "gpu", FOLDER, *options))


def counts(log: str) -> Record:
    """What pytest -v printed, counted: also of a run that was cut short."""
    found = Counter(_COUNTED[match["outcome"]] for match in _OUTCOME.finditer(log))
    return {name: found[name] for name in ("passed", "failed", "skipped")}


def failures(report: Path) -> list[Record]:
    """Name and last lines of every failure in a JUnit file; none where there is no file."""
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return []
    found = []
    for case in cases:
        for kind in ("failure", "error"):
            for node in case.iter(kind):
                lines = (node.text or node.get("message") or "").strip().splitlines()
                name = f"{case.get('classname')}::{case.get('name')}"
                found.append({"name": name, "lines": lines[-LAST_LINES:]})
    return found


def run(context: Context, seconds: float) -> Record:
    """Runs the tests and counts them."""
    if importlib.util.find_spec("pytest") is None:
        return {"status": "not run", "reason": "pytest is needed: pip install pytest"}
    if not (ROOT / FOLDER).is_dir():
        return {"status": "not run", "reason": f"{FOLDER} does not exist"}
    report, log = context.scratch / "tests.xml", context.logs / "tests.log"
    report.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    done = context.execute(command(context, report), seconds, log)
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    record: Record = {**counts(text), "failures": failures(report)}
    # A run in which everything is skipped has shown nothing.
    good = done.ok and record["passed"] > 0
    record["status"] = "passed" if good else "failed"
    if not done.ok:
        record["reason"] = done.reason()
        if done.status != "ended":
            record["last_line"] = done.tail[-1] if done.tail else ""
    elif not good:
        record["reason"] = "no test ran"
    return record


PART = Part(
    "tests",
    90.0,
    "the tests that need a GPU",
    lambda context: command_line([command(context, context.scratch / "tests.xml")]),
    run,
)
