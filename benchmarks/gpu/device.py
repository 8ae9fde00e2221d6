"""``python -m benchmarks.gpu.device``: the GPU and the versions around it, as one JSON line."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..machine import ROOT, git_commit, version

NVIDIA_SMI = {
    "driver": "driver_version",
    "sm_mhz": "clocks.sm",
    "memory_mhz": "clocks.mem",
    "max_sm_mhz": "clocks.max.sm",
    "temperature_c": "temperature.gpu",
    "power_w": "power.draw",
}


def arch(capability: tuple[int, int] | list[int]) -> str:
    """nvcc's name of an architecture; from Hopper on with the instructions of that chip alone."""
    major, minor = capability
    return f"sm_{major}{minor}" + ("a" if major >= 9 else "")


def slug(name: str) -> str:
    """A device's name as part of a file name: "NVIDIA H100 80GB HBM3" gives h100-80gb-hbm3."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return words.removeprefix("nvidia-") or "unknown"


def clocks() -> dict[str, str]:
    """What nvidia-smi tells of the first GPU; empty where it doesn't."""
    if shutil.which("nvidia-smi") is None:
        return {}
    query = [
        "nvidia-smi",
        f"--query-gpu={','.join(NVIDIA_SMI.values())}",
        *["--format=csv,noheader,nounits", "--id=0"],
    ]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return dict(zip(NVIDIA_SMI, values)) if len(values) == len(NVIDIA_SMI) else {}


def describe() -> dict[str, Any]:
    """Device and versions; ``{"missing": why}`` where there is no GPU to use."""
    try:
        import torch
    except ImportError as error:
        return {"missing": f"torch does not import: {error}"}
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"sees no GPU (CUDA {built})" if built else "was built without CUDA"
        return {"missing": f"torch {torch.__version__} {why}"}
    from build_tools import cuda, settings

    properties = torch.cuda.get_device_properties(0)
    try:
        toolkit = cuda.find(settings.Settings(cuda_archs=("sm_80",)))
    except SystemExit:
        toolkit = None
    smi = clocks()
    return {
        "device": {
            "name": properties.name,
            "capability": [properties.major, properties.minor],
            "sms": properties.multi_processor_count,
            "memory_bytes": properties.total_memory,
            "l2_bytes": getattr(properties, "L2_cache_size", None),
            "driver": smi.pop("driver", None),
            "clocks": smi,
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda_runtime": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "triton": version("triton"),
            "nvcc": toolkit.version if toolkit else None,
            "lrcn_fast": (ROOT / "lrcn_fast" / "_version.py").read_text().split('"')[1],
        },
    }


def find(python: str = sys.executable, root: Path = ROOT) -> dict[str, Any]:
    """``describe`` in a process of its own: this one never holds the GPU."""
    command = [python, "-m", "benchmarks.gpu.device"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"missing": "looking for a GPU took more than two minutes"}
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"missing": f"looking for a GPU failed: {said[-1]}"}
    return dict(found)


def tree(commit: str | None = None) -> dict[str, Any]:
    """The commit that is measured and whether the tree differs from it.

    Args:
        commit: its hash, for a copy of the tree that has no .git; what git says goes first.
    """
    found = git_commit()
    if found is None:
        return {"commit": commit, "dirty": None}
    return {"commit": found.rstrip("+"), "dirty": found.endswith("+")}


if __name__ == "__main__":
    print(json.dumps(describe()))
