"""The part that measures whole nets, with a worker that only seems to run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import nets, report
from benchmarks.nets.cases import Case
from benchmarks.nets.measure import QUICK
from benchmarks.nets.peers import PRODUCTS
from tests.benchmarks.gpu_fakes import LATE, Executor, context, printing, result

MULTIPLICATIONS = 700_000_000


def row(name: str = nets.NAMES[0], ours: float = 2.0, **changes: Any) -> dict[str, Any]:
    """A row of 256 frames in which torch takes 5, 4.4 and 3 times the products' own time."""
    floor = 256 * 2 * MULTIPLICATIONS / nets.RATE
    multiples = {"lrcn_fast": ours, "torch": 5.0, "channels_last": 4.4, "compile": 3.0}
    median = {peer: multiple * floor for peer, multiple in multiples.items()}
    ratio = {
        peer: dict.fromkeys(("median", "low", "high"), ours / multiple)
        for peer, multiple in multiples.items()
        if peer != "lrcn_fast"
    }
    return {
        "name": name,
        "label": "CaffeNet T=16 B=16",
        "frames": 256,
        "refused": {},
        "median": median,
        "ratio": ratio,
        "frames_per_second": {peer: 256 / seconds for peer, seconds in median.items()},
        "multiplications": MULTIPLICATIONS,
        "bytes": {"lrcn_fast": 4e6, "torch": 16e6},
        "least_bytes": 1.2e6,
        **changes,
    }


def test_all_rows_pass(tmp_path: Path) -> None:
    rows = [row(name) for name in nets.NAMES]
    record = nets.run(context(tmp_path, Executor(printing(records=rows))), 100)
    assert record["status"] == "passed" and record["not_run"] == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(nets.NAMES[1])], "caffenet-fc6-256 was not measured"),
        ([row(refused={"lrcn_fast": "why"})], "lrcn_fast was refused in caffenet-fc6-256"),
        ([{"name": nets.NAMES[0], "failed": "out of memory"}], "caffenet-fc6-256 failed"),
        ([], "no row was measured"),
    ],
)
def test_what_fails_the_part(rows: list[dict[str, Any]], reason: str, tmp_path: Path) -> None:
    record = nets.run(context(tmp_path, Executor(printing(records=rows, then=LATE))), 100)
    assert (record["status"], record["reason"]) == ("failed", reason)


@pytest.mark.parametrize(
    ("ours", "states"),
    [
        (1.5, ["met", "met", "met"]),
        (2.0, ["met", "met", "missed"]),
        (2.25, ["missed", "met", "missed"]),
        (2.5, ["missed", "missed", "missed"]),
    ],
)
def test_targets(ours: float, states: list[str]) -> None:
    found = list(nets.targets({"rows": [row(ours=ours)]}, [9, 0]))
    assert [target.state for target in found] == states
    assert "channels_last" in found[0].shown and "compile" in found[1].shown


def test_what_was_not_measured_meets_no_target() -> None:
    refused = row()
    del refused["median"]["lrcn_fast"]
    for part in ({}, {"rows": []}, {"rows": [row(nets.NAMES[1])]}, {"rows": [refused]}):
        assert {target.state for target in nets.targets(part, [9, 0])} == {"not measured"}
    other_chip = [target.state for target in nets.targets({"rows": [row(ours=1.5)]}, [8, 0])]
    assert other_chip == ["met", "met", "not measured"]


def test_report_shows_the_nets() -> None:
    found = result()
    failed = {"name": nets.NAMES[1], "failed": "out of memory"}
    refused = row(nets.NAMES[2], refused={"compile": "features: error 2"})
    found["parts"]["nets"] = {"status": "failed", "rows": [row(), failed, refused], "not_run": []}
    for text in (report.table(found), report.summary(found)):
        assert "### nets, in bfloat16" in text
        assert "**1.50** (1.50 to 1.50)" in text
        assert "hybrid-fc6-256 failed: out of memory" in text
        assert "hybrid-ragged: compile was refused: features: error 2" in text
        assert "within 1.6 times the products' own time" in text


def test_a_row_is_measured() -> None:
    case = Case("tiny", "HybridNet", 2, 2, width=1 / 12, image_size=(69, 85))
    # On the CPU torch has no response normalisation in bfloat16.
    record = nets.measure(nets.Row(case), device="cpu", dtype="float32", budget=QUICK)
    assert record["refused"] == {}
    assert record["median"].keys() == {"lrcn_fast", "torch", "channels_last", PRODUCTS}
    assert record["case"]["name"] == record["name"] == "tiny"


def test_rows_are_those_of_the_cpu() -> None:
    assert [row.name for row in nets.rows()] == list(nets.NAMES)
    if not torch.cuda.is_available():
        assert nets.main([]) == 2
