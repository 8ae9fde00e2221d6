"""pytest-benchmark suite: every row for each implementation, both side by side in a group."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
import torch

from . import gate
from .contenders import ours, ways_of_torch
from .peers import Inputs, lrcn_fast_peer
from .shapes import Case, cases

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

DTYPE = torch.float32
PEERS = {
    "torch": lambda case: ways_of_torch(case)[0],
    "lrcn_fast": lambda case: ours(case, lrcn_fast_peer()),
}


@functools.cache
def _check(case: Case) -> dict[str, dict[str, float]]:
    return gate.check(case, lrcn_fast_peer(), DTYPE)


@pytest.mark.benchmark(max_time=1.0, min_rounds=3, warmup=True, warmup_iterations=2)
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_lstm(benchmark: BenchmarkFixture, case: Case, peer: str) -> None:
    """Times one implementation on one row, after both agreed with float64."""
    errors = _check(case)
    benchmark.group = f"{case.name}: {case.shape.label}"
    benchmark.extra_info["flops"] = case.flops
    benchmark.extra_info["errors"] = errors
    benchmark(PEERS[peer](case).start(case, Inputs.make(case.shape, DTYPE)).run)
