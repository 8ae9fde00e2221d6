"""The part that measures, with a worker that only seems to run."""

from pathlib import Path
from typing import Any

from benchmarks.gpu import bench, worker
from benchmarks.gpu.rows import PAPER, PRECISIONS
from tests.benchmarks.gpu_fakes import BAD, HUNG, LATE, Executor, context, printing, row


def begin(name: str) -> dict[str, Any]:
    return {"begin": name}


def test_a_row_that_hangs_is_named_and_the_rest_measured(tmp_path: Path) -> None:
    first, second = row(), row("activity-256")
    execute = Executor(
        printing(records=[begin(first["name"]), first, begin("captions/float32")], then=HUNG),
        printing(records=[begin(second["name"]), second]),
    )
    published: list[dict[str, Any]] = []
    record = bench.run(context(tmp_path, execute, publish=published.append), 100)
    assert [found["name"] for found in record["rows"]] == [
        first["name"],
        "captions/float32",
        second["name"],
    ]
    assert record["rows"][1]["failed"].startswith("stalled")
    assert record["status"] == "failed" and record["reason"].startswith("1 rows failed, ")
    assert len(published) == 3 and published[0]["status"] == "running"
    assert "grid-h256-b1-t16/bfloat16" in record["not_run"]
    assert not {first["name"], second["name"]} & set(record["not_run"])
    skipped = (tmp_path / "rows-done.txt").read_text().split()
    assert skipped == [first["name"], "captions/float32"]


def test_a_row_that_time_cut_short_is_not_run(tmp_path: Path) -> None:
    first = row()
    answer = printing(records=[first, begin("captions/float32")], then=LATE)
    record = bench.run(context(tmp_path, Executor(answer)), 100)
    assert record["status"] == "failed"
    assert record["reason"] == "23 of the paper's rows were not measured"
    assert "captions/float32" in record["not_run"] and len(record["rows"]) == 1


def test_rows_of_the_grid_may_be_cut_short(tmp_path: Path) -> None:
    paper = [row(name, precision=precision) for name in PAPER for precision in PRECISIONS]
    record = bench.run(context(tmp_path, Executor(printing(records=paper, then=LATE))), 100)
    assert record["status"] == "passed" and len(record["not_run"]) == 300


def test_a_broken_process_is_not_started_forever(tmp_path: Path) -> None:
    execute = Executor(BAD)
    record = bench.run(context(tmp_path, execute), 100)
    assert len(execute.commands) == 1
    assert record["status"] == "failed" and "nothing is well" in record["reason"]
    count = iter(range(99))
    faulty = Executor(lambda *a: printing(records=[begin(f"r{next(count)}")], then=HUNG)(*a))
    bench.run(context(tmp_path, faulty), 100)
    assert len(faulty.commands) == worker.STARTS


def test_rows_of_an_earlier_run_are_kept_but_failed_ones_run_again(tmp_path: Path) -> None:
    earlier = {"rows": [row(), {"name": "captions/float32", "failed": "why"}]}
    second = row("activity-256")
    execute = Executor(printing(records=[second]))
    record = bench.run(context(tmp_path, execute, earlier=earlier), 100)
    assert [found["name"] for found in record["rows"]] == [row()["name"], second["name"]]
    assert (tmp_path / "rows-done.txt").read_text() == row()["name"]


def test_a_refused_kernel_of_ours_fails_the_part(tmp_path: Path) -> None:
    refused = row()
    refused["modes"]["training"] = {**refused["modes"]["training"], "refused": {"native": "why"}}
    record = bench.run(context(tmp_path, Executor(printing(records=[refused]))), 100)
    assert record["status"] == "failed" and "refused in 1 rows" in record["reason"]
