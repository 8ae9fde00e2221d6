"""The same bits from run to run and for any number of threads."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.cases import Case, Tensors, build
from tests.helpers.tolerance import assert_bitwise_equal

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16]

ROWS = [
    Case("few_units", T=6, B=3, H=2),
    Case("one_unit", T=5, B=1, H=1),
    Case("many_units", T=8, B=5, H=150),
    Case("many_streams", T=4, B=130, H=24),
    Case("large_weights", T=3, B=2, H=330),
    Case("projection", T=4, B=4, H=290, P=70, static=True),
    Case("options", 9, 6, 150, 0, True, True, "random", (9, 4, 0, 9, 1, 7), reverse=True),
]


def run(tensors: Tensors) -> list[Tensor]:
    """Every result of the forward and of the backward."""
    results = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    return [*results, *OPS.lstm_backward(*tensors.backward_arguments(results[4], results[3]))]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_threads_and_repetition(row: Case, dtype: torch.dtype, isa: str) -> None:
    """With 1, 2, 3 and 7 threads (more threads than units in the small rows), twice each."""
    tensors = build(row, dtype)
    expected = run(tensors)
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        for _ in range(2):
            for number, (ours, first) in enumerate(zip(run(tensors), expected, strict=True)):
                assert_bitwise_equal(ours, first, f"{threads} threads, result {number}")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_stream_does_not_depend_on_its_neighbours(row: Case, isa: str) -> None:
    """A NaN in one stream leaves the others alone, bit for bit."""
    tensors = build(row, torch.float32)
    if row.B < 2:
        tensors = build(Case(row.name, row.T, 2, row.H), torch.float32)
    expected = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    tensors.gates[:, 0] = float("nan")
    actual = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    for number in (0, 3, 4):
        assert_bitwise_equal(actual[number][:, 1:], expected[number][:, 1:], f"result {number}")


def test_concurrent_calls_do_not_share_buffers(isa: str) -> None:
    """Calls from several Python threads give what each gives alone."""
    from concurrent.futures import ThreadPoolExecutor

    rows = [build(row, torch.float32) for row in ROWS]
    expected = [OPS.lstm_forward(*t.forward_arguments(), True, True) for t in rows]
    jobs = list(range(len(rows))) * 8
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda k: OPS.lstm_forward(*rows[k].forward_arguments(), True, True), jobs)
        for k, results in zip(jobs, found, strict=True):
            for number, (ours, theirs) in enumerate(zip(results, expected[k], strict=True)):
                assert_bitwise_equal(ours, theirs, f"row {k}, result {number}")
