"""Peak memory of one training step: ``python -m benchmarks.memory [torch|lrcn_fast]``.

Each peer is measured in a fresh process of its own, because a peak can't be taken back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from .machine import ROOT
from .peers import TORCH, Inputs, Job, lrcn_fast_peer
from .shapes import DTYPES, MEMORY_SHAPE, Case, Shape

PEER_NAMES = ("torch", "lrcn_fast")


def peak_bytes() -> int:
    """Largest resident size of this process so far.

    Linux's ru_maxrss also covers what the process was before it replaced its program, which is the
    parent's memory; VmHWM starts anew with the program.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def training_peak(
    peer_name: str, shape: Shape = MEMORY_SHAPE, dtype: torch.dtype = torch.float32
) -> int:
    """Bytes by which two training steps raise this process' peak, after a warm-up on a tiny input.

    Input, weights, activations and gradients of the shape itself all count.
    """
    peer = TORCH if peer_name == "torch" else lrcn_fast_peer()
    tiny = replace(shape, steps=2, batch=1)
    for _ in range(2):
        Job(peer, Case(tiny, "training"), Inputs.make(tiny, dtype)).run()
    baseline = peak_bytes()
    job = Job(peer, Case(shape, "training"), Inputs.make(shape, dtype))
    for _ in range(2):
        job.run()
    return peak_bytes() - baseline


def told_by(module: str, name: str, *arguments: object) -> int:
    """The "bytes" that ``python -m module arguments`` prints as JSON about ``name``.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"memory of {name} could not be measured:\n{done.stderr}")
    return int(json.loads(done.stdout)["bytes"])


def in_fresh_process(peer_name: str, dtype: str, threads: int, steps: int) -> int:
    """``training_peak`` at T = ``steps``, measured in a process of its own."""
    options = ("--dtype", dtype, "--steps", steps, "--threads", threads)
    return told_by("benchmarks.memory", peer_name, peer_name, *options)


def measure(dtype: str, threads: int, steps: int = MEMORY_SHAPE.steps) -> dict[str, Any]:
    """Peak of every peer, as it goes into the JSON."""
    shape = replace(MEMORY_SHAPE, steps=steps)
    peaks = {name: in_fresh_process(name, dtype, threads, steps) for name in PEER_NAMES}
    return {
        "shape": asdict(shape),
        "label": shape.label,
        "bytes": peaks,
        "ratio": peaks["torch"] / peaks["lrcn_fast"],
    }


def main(arguments: list[str] | None = None) -> int:
    """Prints the peak of one peer as JSON, or those of all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "peer", nargs="?", choices=PEER_NAMES, help="measure this one in this process"
    )
    parser.add_argument("--dtype", default="float32", choices=DTYPES)
    parser.add_argument(
        "--steps", type=int, default=MEMORY_SHAPE.steps, help="T (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.peer is None:
        result: object = measure(options.dtype, options.threads, options.steps)
    else:
        shape = replace(MEMORY_SHAPE, steps=options.steps)
        peak = training_peak(options.peer, shape, getattr(torch, options.dtype))
        result = {"peer": options.peer, "bytes": peak}
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
