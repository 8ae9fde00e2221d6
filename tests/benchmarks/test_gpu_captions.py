"""The part that measures beam search, with a worker that only seems to run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.captions.rows import BATCHED, OURS, Search, Sizes
from benchmarks.gpu import captions, report
from benchmarks.gpu.timing import QUICK
from tests.benchmarks.gpu_fakes import LATE, Executor, context, printing, result


def row(name: str = captions.NAMES[0], times: float = 4.0, **changes: Any) -> dict[str, Any]:
    """A row of 20 words in which we take 7 us a token, and the loop ``times`` as long."""
    return {
        "name": name,
        "images": 1,
        "words": 20,
        "refused": {},
        "median": {OURS: 140e-6, BATCHED: times * 140e-6},
        "ratio": {BATCHED: dict.fromkeys(("median", "low", "high"), 1 / times)},
        **changes,
    }


def test_all_rows_pass(tmp_path: Path) -> None:
    rows = [row(name) for name in captions.NAMES]
    record = captions.run(context(tmp_path, Executor(printing(records=rows))), 100)
    assert record["status"] == "passed" and record["not_run"] == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(refused={OURS: "why"})], f"{OURS} was refused in {captions.NAMES[0]}"),
        ([row(captions.NAMES[1])], f"{captions.NAMES[0]} was not measured"),
    ],
)
def test_what_fails_the_part(rows: list[dict[str, Any]], reason: str, tmp_path: Path) -> None:
    record = captions.run(context(tmp_path, Executor(printing(records=rows, then=LATE))), 100)
    assert (record["status"], record["reason"]) == ("failed", reason)


def test_targets() -> None:
    part = {"rows": [row(times=3.5), row(captions.NAMES[1], 2.5)]}
    states = [target.state for target in captions.targets(part)]
    assert states == ["met", "missed", "not measured"]
    assert {target.state for target in captions.targets({})} == {"not measured"}


def test_report_shows_the_rows_and_the_floor() -> None:
    found = result()
    failed = {"name": captions.NAMES[1], "failed": "out of memory"}
    found["parts"]["captions"] = {"status": "failed", "rows": [row(), failed], "not_run": []}
    for text in (report.table(found), report.summary(found)):
        cells = [cell.strip() for cell in text.split(f"| {captions.NAMES[0]}")[1].split("|")]
        assert cells[1:5] == ["7.0", "28.0", "**4.00**", "2.0"]
        assert f"{captions.NAMES[1]} failed: out of memory" in text
        assert f"{captions.NAMES[0]} in bfloat16: 3 times the {BATCHED}" in text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rows_are_measured(dtype: str) -> None:
    tiny = captions.Row(Search(2, 3, 4, Sizes(20, 6)))
    record = captions.measure(tiny, device="cpu", dtype=dtype, budget=QUICK)
    assert record["refused"] == {} and record["median"].keys() == {OURS, BATCHED}


def test_improbable_sentences_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter((-9.0, -3.0))
    monkeypatch.setattr(Search, "likelihood", lambda *_: next(values))
    tiny = captions.Row(Search(2, 3, 4, Sizes(20, 6)))
    record = captions.measure(tiny, device="cpu", dtype="float32", budget=QUICK)
    assert "-9" in record["refused"][OURS] and record["median"] == {}


def test_rows_are_those_of_the_cpu() -> None:
    assert [row.name for row in captions.rows()] == list(captions.NAMES)
    if not torch.cuda.is_available():
        assert captions.main([]) == 2
