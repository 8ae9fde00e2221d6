"""Several scans in one call on the GPU: both directions, and layers as a wavefront."""

import sys
from dataclasses import replace
from unittest import mock

import pytest
import torch
from torch import Tensor

from lrcn_fast import reference
from tests.gpu.modules import run, trio
from tests.gpu.operators import RESULTS, build_on, named, operator, require
from tests.helpers.cases import Case
from tests.helpers.modules import Layout
from tests.helpers.scans import backward_arguments, forward_arguments
from tests.helpers.tolerance import assert_no_worse_than_torch

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
def test_each_scan(
    row: Case, count: int, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    """With another direction each, and another T where the lengths leave it."""
    scans = [
        build_on(
            device,
            replace(
                row,
                name=f"{row}+{n}",
                T=row.T + (n if row.lengths is None else 0),
                reverse=n % 2 == 1,
            ),
            dtype,
        )
        for n in range(count)
    ]
    forward = operator("lstm_scans_forward", backend, device, dtype, row)
    results = forward(*forward_arguments(scans), True, True, 0)
    exact_scans = [x.map(Tensor.double) for x in scans]
    saved = []
    for x, exact, ours in zip(scans, exact_scans, zip(*results, strict=True), strict=True):
        loop = reference.lstm_forward(*x.forward_arguments(), True, True)
        truth = reference.lstm_forward(*exact.forward_arguments(), True, True)
        saved.append((loop[4], loop[3]))
        for name, *three in zip(RESULTS, ours, loop, truth, strict=True):
            assert_no_worse_than_torch(*three, name)
    backward = operator("lstm_scans_backward", backend, device, dtype, row)
    grads = backward(*backward_arguments(scans, saved), 0)
    for n, ours in enumerate(zip(*grads, strict=True)):
        loop = reference.lstm_backward(*scans[n].backward_arguments(*saved[n]))
        doubled = [tensor.double() for tensor in saved[n]]
        truth = reference.lstm_backward(*exact_scans[n].backward_arguments(*doubled))
        for number, three in enumerate(zip(ours, loop, truth, strict=True)):
            assert_no_worse_than_torch(*three, f"scan {n}, gradient {number}")


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
