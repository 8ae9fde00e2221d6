"""``python -m lrcn_fast doctor``: the machine, the build, and what works on them.

Whatever does not work comes with its reason and what to do about it.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

from lrcn_fast import __version__, _loader, backends, env

__all__ = ["add_command", "report", "text"]

Report = dict[str, Any]


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``doctor`` to the command line."""
    parser = commands.add_parser(
        "doctor", help="show the machine, the build, and each backend with reason and fix"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = report()
    print(json.dumps(found, indent=2) if arguments.json else text(found))
    return 0


def report() -> Report:
    """Examine the machine and the package.

    Returns:
        What is printed with ``--json``: dicts, lists, strings, numbers, booleans and None only.
    """
    return {
        "versions": _versions(),
        "extension": _extension(),
        "cpu": _cpu(),
        "gpus": _gpus(),
        "backends": [
            {"name": name, "available": reason is None, "reason": reason, "fix": fix}
            for name, reason, fix in backends.available()
        ],
        "extras": _extras(),
        "environment": {
            variable.name: os.environ[variable.name]
            for variable in env.VARIABLES
            if variable.name in os.environ
        },
    }


def _installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions() -> Report:
    return {
        "lrcn_fast": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torch_cuda": torch.version.cuda,
        "numpy": _installed("numpy"),
        "triton": _installed("triton"),
        "system": platform.platform(),
    }


def _extension() -> Report:
    module = _loader.load()
    if module is None:
        return {"built": False, "reason": _loader.reason}
    return {"built": True, "path": module.__file__, **module.build_info()}


def _cpu() -> Report:
    module = _loader.load()
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = match[1] if match else model
    return {
        "model": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "isa": module.cpu_isa() if module else None,
        "isas": list(module.cpu_isas()) if module else [],
    }


def _gpus() -> list[Report]:
    if not torch.cuda.is_available():
        return []
    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": properties.name,
                "architecture": f"sm_{properties.major}{properties.minor}",
                "memory_gib": round(properties.total_memory / 2**30, 1),
            }
        )
    return found


def _extras() -> list[Report]:
    """The package's optional dependencies, read from its own metadata."""
    try:
        requirements = importlib.metadata.requires("lrcn-fast") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    packages: dict[str, dict[str, str | None]] = {}
    for requirement in requirements:
        match = re.match(r"([\w.-]+).*;.*\bextra\s*==\s*[\"']([\w-]+)[\"']", requirement)
        if match:
            packages.setdefault(match[2], {})[match[1]] = _installed(match[1])
    return [
        {
            "name": extra,
            "installed": None not in versions.values(),
            "packages": versions,
            "fix": _fix(versions),
        }
        for extra, versions in packages.items()
    ]


def _fix(versions: dict[str, str | None]) -> str | None:
    missing = [package for package, version in versions.items() if version is None]
    return f"pip install {' '.join(missing)}" if missing else None


def text(found: Report) -> str:
    """Lay a report out for reading.

    Args:
        found: what ``report`` returned.
    """
    extension = dict(found["extension"])
    built = extension.pop("built")
    lines = ["versions", *_rows(found["versions"])]
    lines += ["extension", *_rows(extension if built else {"missing": extension["reason"]})]
    lines += ["cpu", *_rows({**found["cpu"], "isas": ", ".join(found["cpu"]["isas"]) or None})]
    lines.append("gpus")
    for gpu in found["gpus"]:
        lines.append(f"  {gpu['name']}, {gpu['architecture']}, {gpu['memory_gib']} GiB")
    if not found["gpus"]:
        lines.append("  none that torch can use")
    lines.append("backends")
    for backend in found["backends"]:
        lines += _finding(backend["name"], backend["available"], backend["reason"], backend["fix"])
    lines.append("extras")
    for extra in found["extras"]:
        missing = [name for name, version in extra["packages"].items() if version is None]
        reason = f"missing {', '.join(missing)}" if missing else None
        lines += _finding(extra["name"], extra["installed"], reason, extra["fix"])
    if not found["extras"]:
        lines.append("  unknown: lrcn_fast runs from a folder of sources that is not installed")
    lines += ["environment", *(_rows(found["environment"]) or ["  no variable is set"])]
    return "\n".join(lines)


def _rows(values: Report) -> list[str]:
    return [f"  {name:<13} {_word(value)}" for name, value in values.items()]


def _word(value: object) -> str:
    return "none" if value in (None, "") else str(value)


def _finding(name: str, works: bool, reason: str | None, fix: str | None) -> list[str]:
    if works:
        return [f"  {name:<13} available"]
    lines = [f"  {name:<13} not available: {reason}"]
    return [*lines, f"  {'':<13} fix: {fix}"] if fix else lines
