"""The part that measures operators on maps and frames, with a worker that only seems to run."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.features import __main__ as features_main
from benchmarks.features import frames, maps
from benchmarks.features.measure import QUICK
from benchmarks.features.rows import OURS, TORCH
from benchmarks.features.rows import Row as FeatureRow
from benchmarks.gpu import features, report
from tests.benchmarks.gpu_fakes import LATE, Executor, context, printing, result


def row(name: str = features.NAMES[0], times: float = 6.0, **changes: Any) -> dict[str, Any]:
    """A row in which torch takes ``times`` as long."""
    return {
        "name": name,
        "label": "16 maps",
        "least": 5.0,
        "against": TORCH,
        "bytes": {OURS: 10**6, TORCH: 8 * 10**6},
        "least_bytes": 10**6,
        "refused": {},
        "median": {OURS: 1e-5, TORCH: times * 1e-5},
        "ratio": {TORCH: dict.fromkeys(("median", "low", "high"), 1 / times)},
        **changes,
    }


def test_all_rows_pass(tmp_path: Path) -> None:
    rows = [row(name) for name in features.NAMES]
    record = features.run(context(tmp_path, Executor(printing(records=rows))), 100)
    assert record["status"] == "passed" and record["not_run"] == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(refused={OURS: "why"})], f"{OURS} was refused in {features.NAMES[0]}"),
        ([row(features.NAMES[1])], f"{features.NAMES[0]} was not measured"),
    ],
)
def test_what_fails_the_part(rows: list[dict[str, Any]], reason: str, tmp_path: Path) -> None:
    record = features.run(context(tmp_path, Executor(printing(records=rows, then=LATE))), 100)
    assert (record["status"], record["reason"]) == ("failed", reason)


def test_targets() -> None:
    first, second = (name for name in features.NAMES[:4] if not name.endswith("-training"))
    part = {"rows": [row(first, 5.5), row(second, 4.5)]}
    assert [target.state for target in features.targets(part)] == ["met", "missed"]
    assert {target.state for target in features.targets({})} == {"not measured"}


def test_report_shows_the_rows() -> None:
    found = result()
    failed = {"name": features.NAMES[1], "failed": "out of memory"}
    found["parts"]["features"] = {"status": "failed", "rows": [row(), failed], "not_run": []}
    for text in (report.table(found), report.summary(found)):
        assert "### features, in bfloat16" in text and "**6.00** (6.00 to 6.00)" in text
        assert f"{features.NAMES[1]} failed: out of memory" in text
        assert f"{features.NAMES[0]} in bfloat16: 5 times torch" in text


def test_rows_are_measured() -> None:
    build = functools.partial(maps.build, (2, 6, 9, 11), torch.channels_last, False)
    # On the CPU torch has no response normalisation in bfloat16.
    tiny = features.Row(FeatureRow("tiny", "2 maps", build))
    record = features.measure(tiny, device="cpu", dtype="float32", budget=QUICK)
    assert record["refused"] == {} and record["median"].keys() == {OURS, TORCH}
    sizes = {"count": 3, "frame": (20, 30), "size": (15, 17)}
    small = functools.partial(frames.build, dtype=torch.float32, **sizes)
    tiny = features.Row(FeatureRow("tiny", "3 frames", small))
    record = features.measure(tiny, device="cpu", budget=QUICK)
    assert record["refused"] == {} and {OURS, TORCH} < record["median"].keys()


def test_rows_are_those_of_the_cpu() -> None:
    assert [row.name for row in features.rows()] == list(features.NAMES)
    assert set(features.NAMES) <= {row.name for row in features_main.ROWS}
    if not torch.cuda.is_available():
        assert features.main([]) == 2
