"""Several scans in one call on the GPU: both directions, and layers as a wavefront."""

import sys
from dataclasses import replace
from unittest import mock

import pytest
import torch

from tests.gpu.modules import run, trio
from tests.gpu.operators import build_on, named, operator, require
from tests.helpers.cases import Case
from tests.helpers.modules import Layout
from tests.helpers.scans import backward_arguments, forward_arguments
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.parametrize("backend", ["native", "native-on-chip"], indirect=True),
]
ROWS = [
    named("lengths"),
    named("cont"),
    named("all_large"),
    Case("wide", T=9, B=24, H=256, cont="random", lengths=tuple(k % 10 for k in range(24))),
    Case("grid", T=5, B=8, H=1000, cont="random"),
]


@pytest.mark.parametrize("count", [2, 4, 5])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_together_as_alone(
    row: Case, count: int, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    """Bit for bit, with other directions and lengths of time."""
    cases = [
        replace(
            row, name=f"{row}+{n}", T=row.T + (n if row.lengths is None else 0), reverse=n % 2 == 1
        )
        for n in range(count)
    ]
    scans = [build_on(device, case, dtype) for case in cases]
    one = [operator(f"lstm_{way}", backend, device, dtype, row) for way in ("forward", "backward")]
    all_of_them = [
        operator(f"lstm_scans_{way}", backend, device, dtype, row)
        for way in ("forward", "backward")
    ]
    alone = [one[0](*x.forward_arguments(), True, True) for x in scans]
    together = all_of_them[0](*forward_arguments(scans), True, True, 0)
    saved = [(results[4], results[3]) for results in alone]
    alone_back = [
        one[1](*x.backward_arguments(*kept)) for x, kept in zip(scans, saved, strict=True)
    ]
    together_back = all_of_them[1](*backward_arguments(scans, saved), 0)
    for ours, wanted in ((together, alone), (together_back, alone_back)):
        for number, results in enumerate(ours):
            for scan, result in enumerate(results):
                assert_bitwise_equal(result, wanted[scan][number], f"scan {scan}, {number}")


@pytest.mark.parametrize("window", [1, 4, 20])
@pytest.mark.parametrize(
    "layout", [Layout(64, 256, num_layers=2), Layout(num_layers=5, batch_first=True)], ids=str
)
def test_wavefront(
    layout: Layout, window: int, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    require(backend, device, dtype, layout.hidden_size)
    modules = trio(layout, dtype, device)
    h0, c0 = layout.state(5)
    functional = sys.modules["lrcn_fast.functional.lstm"]
    with mock.patch.object(functional, "choose_window", return_value=window):
        modules.check(
            backend,
            run,
            layout.sequence(11, 5).to(device, dtype),
            (h0.to(device, dtype), c0.to(device, dtype)),
        )
