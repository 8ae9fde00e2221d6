"""Each fault put into the persistent kernels is found: by a report, or by a wrong result."""

import pytest
import torch

from tests.emulator import lstm
from tests.emulator.mutants import FAULTS, PERSISTENT_FAULTS, SHARES, Fault, mutants
from tests.emulator.test_lstm import check, loop
from tests.helpers.cases import Case, build

SEEDS = range(4)
# Two slices; enough steps for each buffer to be used again. And a short scan beside it.
CASES = [Case("mutants", T=6, B=11, H=21), Case("beside", T=2, B=11, H=21, reverse=True)]


def run(kernel: str, fault: int, seed: int) -> None:
    loops = [loop(case, torch.float16) for case in CASES]
    scans = [build(case, torch.float16) for case in CASES]
    mutants().set_fault(fault)
    mutants().set_seed(seed)
    plan = (lstm.CLUSTER if "cluster" in kernel else lstm.GRID, int(SHARES in kernel))
    if "forward" in kernel:
        names, oracles = lstm.FORWARD, [oracle[:2] for oracle in loops]
        actual = lstm.forward_scans(scans, kernel=plan)
    else:
        names, oracles = lstm.BACKWARD, [oracle[2:] for oracle in loops]
        saved = [(oracle[0][4], oracle[0][3]) for oracle in loops]
        actual = lstm.backward_scans(scans, saved, kernel=plan)
    for ours, wanted in zip(actual, oracles, strict=True):
        check(names, ours, *wanted, arithmetic="float16")


@pytest.fixture(autouse=True)
def on_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    # Here already, where a fault whose text is not in the sources any more is no finding.
    mutants()
    monkeypatch.setattr(lstm, "emulator", mutants)


@pytest.mark.parametrize(
    "kernel",
    sorted(
        {str(fault).split("-")[0] for fault in PERSISTENT_FAULTS} | {f"lstm_grid_backward{SHARES}"}
    ),
)
def test_nothing_is_found_without_a_fault(kernel: str) -> None:
    for seed in SEEDS:
        run(kernel, -1, seed)


@pytest.mark.parametrize("fault", PERSISTENT_FAULTS, ids=str)
def test_a_fault_is_found(fault: Fault) -> None:
    for seed in SEEDS:
        try:
            run(str(fault), FAULTS.index(fault), seed)
        except (RuntimeError, AssertionError):
            return
    pytest.fail("not found")
