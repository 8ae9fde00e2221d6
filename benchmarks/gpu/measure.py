"""``python -m benchmarks.gpu.measure``: the rows of the bench part, a JSON line for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .. import gate
from ..peers import TORCH, Inputs, Job, Peer
from ..shapes import Case, Mode
from . import peers as gpu_peers
from . import timing
from .rows import Row, rows, settings
from .worker import first_line, serve

MODES: tuple[Mode, ...] = ("inference", "training")


def _largest(errors: dict[str, dict[str, float]], name: str) -> float:
    return max(error[name] for error in errors.values())


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
            found["no_graph"][peer.name] = first_line(error)
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


def main(arguments: list[str] | None = None) -> int:
    """Measures rows until the time is up; see ``benchmarks.gpu.worker``."""
    return serve(
        "benchmarks.gpu.measure",
        rows(),
        lambda row: measure(row, gpu_peers.peers(row)),
        arguments,
    )


if __name__ == "__main__":
    raise SystemExit(main())
