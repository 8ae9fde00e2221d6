"""``python -m benchmarks.gpu.measure``: the rows of the bench part, a JSON line for each.

Before a row a line {"begin": name} is printed, so that whoever watches knows which one hangs.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .. import gate
from ..peers import TORCH, Inputs, Job, Peer
from ..shapes import Case, Mode
from . import peers as gpu_peers
from . import timing
from .rows import Row, rows, settings

MODES: tuple[Mode, ...] = ("inference", "training")
BROKEN = 3
"""Exit status after a fault that leaves the process no use of the GPU."""

LEAVE_SECONDS = 3.0
"""No row is begun with less time than this left."""


def _largest(errors: dict[str, dict[str, float]], name: str) -> float:
    return max(error[name] for error in errors.values())


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _measure_mode(
    row: Row, mode: Mode, peers: Sequence[Peer], device: str, budget: timing.Budget
) -> dict[str, Any]:
    clock = timing.events if device == "cuda" else timing.wall
    case = Case(row.shape, mode)
    oracle = gate.Oracle(case, row.dtype, device=device, resolution=row.resolution)
    found: dict[str, Any] = {"errors": {}, "refused": {}, "no_graph": {}}
    passed = [TORCH]
    for peer in peers:
        try:
            errors = oracle.check(peer)
        except gate.GateError as error:
            found["refused"][peer.name] = str(error)
            continue
        passed.append(peer)
        found["errors"][peer.name] = _largest(errors, peer.name)
        found["errors"][TORCH.name] = _largest(errors, TORCH.name)
    # Fresh values: a peer that kept what it computed for the check gains nothing from it.
    inputs = Inputs.make(row.shape, row.dtype, seed=1, device=device)
    jobs = {peer.name: Job(peer, case, inputs) for peer in passed}
    runs: dict[str, timing.Call] = {name: job.run for name, job in jobs.items()}
    found["eager"] = timing.compare(runs, TORCH.name, budget, clock)
    if device != "cuda":
        return found
    replays: dict[str, timing.Call] = {}
    kept = []
    for peer in passed:
        job = Job(peer, case, oracle.inputs)
        try:
            captured = timing.capture(job.run)
            oracle.compare(peer.name, job.named(timing.replay_onto_nan(captured)))
        except (RuntimeError, gate.GateError) as error:
            found["no_graph"][peer.name] = _first_line(error)
            continue
        kept.append(captured)
        replays[peer.name] = captured.replay
    if replays:
        found["graph"] = timing.compare(replays, TORCH.name, budget, clock)
    return found


def _backward(modes: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Training less inference: the backward, and what the forward saves for it."""
    found: dict[str, dict[str, float]] = {}
    inference, training = modes["inference"], modes["training"]
    for method in ("graph", "eager"):
        if method in inference and method in training:
            forward, both = inference[method]["median"], training[method]["median"]
            found[method] = {name: both[name] - forward[name] for name in both if name in forward}
    return found


def measure(
    row: Row, peers: Sequence[Peer], device: str = "cuda", budget: timing.Budget | None = None
) -> dict[str, Any]:
    """Checks a row against float64 and times it; the record has no time of a peer that failed."""
    budget = budget or (timing.PAPER if row.group == "paper" else timing.GRID)
    compiled = any(peer.name == gpu_peers.COMPILED for peer in peers)
    if compiled:
        gpu_peers.forget_compiled()
    record = row.describe()
    start = time.monotonic()
    with settings(row.precision):
        if device == "cuda":
            record["kernels"] = gpu_peers.kernels(row)
        record["modes"] = {mode: _measure_mode(row, mode, peers, device, budget) for mode in MODES}
    if compiled:
        record["torch_compile"] = gpu_peers.compiled_graphs()
    record["backward"] = _backward(record["modes"])
    record["seconds"] = round(time.monotonic() - start, 2)
    return record


def _print(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measures rows until the time is up; returns ``BROKEN`` when the GPU is of no more use."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.measure", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="when to begin no more")
    parser.add_argument("--skip", type=Path, help="file with the names of rows to leave out")
    parser.add_argument("--filter", default="", help="only rows whose name has this in it")
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    skipped = set(options.skip.read_text(encoding="utf-8").split()) if options.skip else set()
    if not torch.cuda.is_available():
        print("the benchmarks of a GPU need one", file=sys.stderr)
        return 2
    for row in rows():
        if row.name in skipped or options.filter not in row.name:
            continue
        if time.monotonic() > end - LEAVE_SECONDS:
            break
        _print({"begin": row.name})
        try:
            record = measure(row, gpu_peers.peers(row))
        except (RuntimeError, gate.GateError) as error:
            record = {**row.describe(), "failed": _first_line(error)}
        gc.collect()
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError as error:
            _print({**record, "failed": _first_line(error)})
            return BROKEN
        _print(record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
