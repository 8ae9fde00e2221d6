"""Each fault put into the persistent kernels is found: by a report, or by a wrong result."""

import pytest
import torch

from tests.emulator import lstm
from tests.emulator.mutants import FAULTS, Fault, mutants
from tests.emulator.test_lstm import check, loop
from tests.helpers.cases import Case, build

SEEDS = range(4)
# Two slices; enough steps for each buffer to be used again.
CASE = Case("mutants", T=6, B=11, H=24)


def run(kernel: str, fault: int, seed: int) -> None:
    forward, exact_forward, backward, exact_backward = loop(CASE, torch.float16)
    x = build(CASE, torch.float16)
    mutants().set_fault(fault)
    mutants().set_seed(seed)
    plan = (lstm.CLUSTER if "cluster" in kernel else lstm.GRID, 0)
    if "forward" in kernel:
        actual = lstm.forward(x, kernel=plan)
        check(lstm.FORWARD, actual, forward, exact_forward, arithmetic="float16")
    else:
        actual = lstm.backward(x, forward[4], forward[3], kernel=plan)
        check(lstm.BACKWARD, actual, backward, exact_backward, arithmetic="float16")


@pytest.fixture(autouse=True)
def on_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstm, "emulator", mutants)


@pytest.mark.parametrize("kernel", sorted({str(fault).split("-")[0] for fault in FAULTS}))
def test_nothing_is_found_without_a_fault(kernel: str) -> None:
    for seed in SEEDS:
        run(kernel, -1, seed)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_found(fault: Fault) -> None:
    for seed in SEEDS:
        try:
            run(str(fault), FAULTS.index(fault), seed)
        except (RuntimeError, AssertionError):
            return
    pytest.fail("not found")
