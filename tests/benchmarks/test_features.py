"""The benchmark of single operators: checks, table, command line."""

import functools
from typing import Any

import pytest
import torch

from benchmarks.features import __main__ as main
from benchmarks.features import frames
from benchmarks.features.measure import QUICK, measure
from benchmarks.features.rows import OURS, TORCH, Problem, Row

SMALL = functools.partial(frames.build, count=3, frame=(20, 30), size=(15, 17))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_all_implementations_are_checked_and_timed(dtype: torch.dtype) -> None:
    record = measure(Row("small", "3 frames", functools.partial(SMALL, dtype)), QUICK)
    assert record["refused"] == {}
    assert record["median"].keys() == {OURS, TORCH, frames.BYTES_FIRST}
    assert record["least_bytes"] == 3 * 15 * 17 * 3 * (1 + dtype.itemsize)


def test_no_time_is_taken_of_a_wrong_result() -> None:
    def build() -> Problem:
        problem = SMALL(torch.float32)
        right = problem.calls[OURS]()["input"]
        problem.calls[OURS] = lambda: {"input": right * (1 + 1e-4)}
        return problem

    record = measure(Row("small", "3 frames", build), QUICK)
    assert "input: error" in record["refused"][OURS] and OURS not in record["median"]
    shown = "\n".join(main.lines([record], 0.0))
    assert "| refused " in shown and "Refused in small: lrcn_fast" in shown


def test_table() -> None:
    record: dict[str, Any] = {
        "name": "frames",
        "label": "16 frames",
        "least": 3.0,
        "least_bytes": 10**9,
        "refused": {},
        "median": {OURS: 0.5, TORCH: 4.0, "other": 2.0},
        "ratio": {
            TORCH: {"median": 0.125, "low": 0.1, "high": 0.2},
            "other": {"median": 0.25, "low": 0.2, "high": 0.5},
        },
    }
    shown = "\n".join(main.lines([record], 0.5))
    for words in ("**4.00** (2.00 to 5.00)", "3 met", "| 2.0 ", "torch 4.00 s; other 2.00 s"):
        assert words in shown
    assert "not to be trusted" in shown
    assert "3 missed" in "\n".join(
        main.lines([{**record, "ratio": {"other": {"median": 0.5, "low": 0.4, "high": 0.6}}}], None)
    )


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--quick", "--threads", "1", "--filter", "float32"]) == 0
    assert "frames-float32: 16 frames" in capsys.readouterr().out
    assert main.main(["--filter", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().out
