"""The benchmark of single operators: checks, table, command line."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.features import __main__ as main
from benchmarks.features import frames, maps, report
from benchmarks.features.measure import QUICK, measure
from benchmarks.features.rows import OURS, TORCH, Problem, Row

SMALL = functools.partial(frames.build, count=3, frame=(20, 30), size=(15, 17))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_all_implementations_are_checked_and_timed(dtype: torch.dtype) -> None:
    record = measure(Row("small", "3 frames", functools.partial(SMALL, dtype)), QUICK)
    assert record["refused"] == {}
    assert record["median"].keys() == {OURS, TORCH, frames.BYTES_FIRST}
    assert record["least_bytes"] == 3 * 15 * 17 * 3 * (1 + dtype.itemsize)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", maps.FORMATS.values(), ids=str)
def test_maps(form: torch.memory_format, training: bool) -> None:
    """One operator moves what must be moved, torch's several times that."""
    build = functools.partial(maps.build, (2, 16, 9, 11), form, training)
    record = measure(Row("small", "2 maps", build, against=TORCH), QUICK)
    assert record["refused"] == {}
    assert record["median"].keys() == {OURS, TORCH, maps.COMPILED}
    x, pooled = 2 * 16 * 9 * 11, 2 * 16 * 4 * 5
    least = 4 * (x + pooled) + training * (2 * 5 * pooled + 4 * (pooled + x))
    assert record["bytes"][OURS] == record["least_bytes"] == least
    assert record["bytes"][TORCH] > 3 * least


def test_rows_are_the_nets_own_sizes() -> None:
    assert len({row.name for row in main.ROWS}) == len(main.ROWS)
    rows = [row for row in main.ROWS if row in maps.ROWS]
    assert len(rows) == 4 * 2 * 2
    assert {row.least for row in rows if row.name.endswith("-training")} == {4.0}
    assert {row.least for row in rows if not row.name.endswith("-training")} == {5.0}


def test_no_time_is_taken_of_a_wrong_result() -> None:
    def build(device: str) -> Problem:
        problem = SMALL(torch.float32)
        right = problem.calls[OURS]()["input"]
        problem.calls[OURS] = lambda: {"input": right * (1 + 1e-4)}
        return problem

    record = measure(Row("small", "3 frames", build), QUICK)
    assert "input: error" in record["refused"][OURS] and OURS not in record["median"]
    shown = "\n".join(report.lines([record], 0.0))
    assert "| refused " in shown and "Refused in small: lrcn_fast" in shown


def test_table() -> None:
    record: dict[str, Any] = {
        "name": "frames",
        "label": "16 frames",
        "least": 3.0,
        "against": None,
        "bytes": {OURS: 10**9, TORCH: 4 * 10**9},
        "least_bytes": 10**9,
        "refused": {},
        "median": {OURS: 0.5, TORCH: 4.0, "other": 2.0},
        "ratio": {
            TORCH: {"median": 0.125, "low": 0.1, "high": 0.2},
            "other": {"median": 0.25, "low": 0.2, "high": 0.5},
        },
    }
    shown = "\n".join(report.lines([record], 0.5))
    for words in ("**4.00** (2.00 to 5.00)", "3 met", "| 4000.0 |", "torch 4.00 s; other 2.00 s"):
        assert words in shown
    assert "not to be trusted" in shown
    assert "3 missed" in "\n".join(
        report.lines(
            [{**record, "ratio": {"other": {"median": 0.5, "low": 0.4, "high": 0.6}}}], None
        )
    )

    named = "\n".join(report.lines([{**record, "least": 9.0, "against": TORCH}], 0.0))
    assert "9 times torch: 8.00, missed" in named


def test_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--quick", "--threads", "1", "--filter", "frames-float32", "--output", str(tmp_path)]
    assert main.main(quick) == 0
    assert "frames-float32: 16 frames" in capsys.readouterr().out
    (data,) = tmp_path.glob("features-cpu-*-1t.json")
    assert [row["name"] for row in json.loads(data.read_text())["rows"]] == ["frames-float32"]
    monkeypatch.setattr(main, "DOCS", tmp_path / "docs.md")
    main.DOCS.write_text(f"{report.BEGIN}\n{report.END}\n")
    assert main.main(["--update-docs", "--threads", "1", "--output", str(tmp_path)]) == 0
    assert "| frames-float32" in main.DOCS.read_text()
    assert main.main(["--filter", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().out
