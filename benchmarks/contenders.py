"""Who is compared in a row: torch in each way that there is, lrcn_fast, ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace

import torch

from . import onnx_peer
from .peers import TORCH, Job, Peer
from .pieces import OneByOne, Packed, WithLengths
from .resets import WAYS, WithCont
from .shapes import Case, Sequences

ONE_BY_ONE = replace(TORCH, name="pieces one by one", job=OneByOne)
JOBS: dict[Sequences, type[Job]] = {"lengths": WithLengths, "packed": Packed, "cont": WithCont}


def oracle_of(case: Case) -> Peer:
    """torch in the plainest way, which computes in float64 what the others are compared with."""
    return TORCH if case.shape.sequences == "padded" else ONE_BY_ONE


def ways_of_torch(case: Case) -> list[Peer]:
    """Of which the fastest is what lrcn_fast is compared with."""
    if case.shape.sequences == "padded":
        return [TORCH]
    if case.shape.sequences == "cont":
        ways = [replace(TORCH, name=name, job=job) for name, job in WAYS.items()]
        return [ONE_BY_ONE, *ways]
    return [replace(TORCH, job=Packed)]


def ours(case: Case, peer: Peer) -> Peer:
    """lrcn_fast, whose modules ``peer`` has, called as the row wants it."""
    return replace(peer, job=JOBS.get(case.shape.sequences, Job))


def others(case: Case, dtype: torch.dtype) -> list[Peer]:
    """ONNX Runtime, where it is installed and has the row."""
    return [onnx_peer.PEER] if onnx_peer.runs(case, dtype) and not onnx_peer.missing() else []
