"""Peak memory of training against T: ``python -m benchmarks.memory``.

Each point is measured in a fresh process of its own, because a peak can't be taken back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from . import machine, memory_report
from .machine import ROOT
from .peers import TORCH, Inputs, Peer, lrcn_fast_peer
from .report import RESULTS
from .run import thread_count
from .shapes import MEMORY_SHAPE, Case, Shape

STEPS = (25_000, 50_000, 100_000, 200_000)
RECOMPUTE_EVERY = 500


def _recomputing() -> Peer:
    ours = lrcn_fast_peer()
    return replace(ours, lstm=partial(ours.lstm, recompute_every=RECOMPUTE_EVERY))


PEERS = {"torch": lambda: TORCH, "lrcn_fast": lrcn_fast_peer, "recomputing": _recomputing}


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
    name: str, shape: Shape = MEMORY_SHAPE, dtype: torch.dtype = torch.float32
) -> int:
    """Bytes by which two training steps raise this process' peak, after a warm-up on a tiny input.

    Input, weights, activations and gradients of the shape itself all count.
    """
    peer = PEERS[name]()
    tiny = replace(shape, steps=2, batch=1)
    for _ in range(2):
        peer.start(Case(tiny, "training"), Inputs.make(tiny, dtype)).run()
    baseline = peak_bytes()
    job = peer.start(Case(shape, "training"), Inputs.make(shape, dtype))
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


def in_fresh_process(name: str, steps: int, threads: int) -> int:
    """``training_peak`` at T = ``steps``, measured in a process of its own."""
    options = ("--steps", steps, "--threads", threads)
    return told_by("benchmarks.memory", name, name, *options)


def measure(threads: int, steps: Sequence[int] = STEPS) -> dict[str, Any]:
    """The peaks of all, as they go into the JSON."""
    with thread_count(threads):
        result = machine.describe()
    result["shape"] = asdict(MEMORY_SHAPE)
    result["recompute_every"] = RECOMPUTE_EVERY
    result["steps"] = list(steps)
    result["bytes"] = {
        name: [in_fresh_process(name, count, threads) for count in steps] for name in PEERS
    }
    return result


def main(arguments: list[str] | None = None) -> int:
    """Prints the peak of one as JSON, or measures those of all and writes them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("peer", nargs="?", choices=PEERS, help="measure this one in this process")
    parser.add_argument(
        "--steps", type=int, nargs="+", default=STEPS, help="T (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder for the result (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.peer is None:
        result = measure(options.threads, options.steps)
        for path in memory_report.write(result, options.output):
            print(f"wrote {path}")
        return 0
    torch.set_num_threads(options.threads)
    shape = replace(MEMORY_SHAPE, steps=max(options.steps))
    print(json.dumps({"peer": options.peer, "bytes": training_peak(options.peer, shape)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
