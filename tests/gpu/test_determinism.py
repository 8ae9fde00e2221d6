"""The same bits from run to run, whatever else the GPU does, and whatever the other rows hold."""

import pytest
import torch

from tests.gpu.operators import build_on, forward_and_backward, named
from tests.helpers.cases import Case
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = pytest.mark.gpu

ROWS = [
    Case("one_unit", T=5, B=1, H=1),
    Case("many_streams", T=4, B=130, H=24),
    Case("large", T=20, B=24, H=1000),
    Case("projection", T=4, B=4, H=290, P=70, static=True),
    Case("options", 9, 6, 150, 0, True, True, "random", (9, 4, 0, 9, 1, 7), reverse=True),
    named("all_large"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_repetition(row: Case, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    run = forward_and_backward(backend, device, dtype, row)
    tensors = build_on(device, row, dtype)
    expected = run(tensors)
    disturbance = torch.randn(1024, 1024, device=device)
    for repetition in range(5):
        disturbance = disturbance @ disturbance / 32
        for number, (ours, first) in enumerate(zip(run(tensors), expected, strict=True)):
            assert_bitwise_equal(ours, first, f"repetition {repetition}, result {number}")


@pytest.mark.parametrize("value", [float("nan"), 3e4])
@pytest.mark.parametrize("row", ROWS[1:], ids=str)
def test_a_stream_does_not_depend_on_its_neighbours(
    row: Case, value: float, dtype: torch.dtype, backend: str, device: torch.device
) -> None:
    run = forward_and_backward(backend, device, dtype, row)
    tensors = build_on(device, row, dtype)
    expected = run(tensors)
    outer = 0 if row.batch_first else 1
    for changed in (tensors.gates, tensors.grad_output, tensors.grad_cells):
        changed.select(outer, 0).fill_(value)
    actual = run(tensors)
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        if ours.numel() == 0:
            continue
        batch = outer if ours.dim() == 3 else 0
        count = ours.shape[batch] - 1
        assert_bitwise_equal(
            ours.narrow(batch, 1, count), theirs.narrow(batch, 1, count), f"result {number}"
        )
