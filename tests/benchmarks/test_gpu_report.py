import json
from pathlib import Path

from benchmarks import documents
from benchmarks.gpu import report
from benchmarks.gpu.floor import floor_of
from tests.benchmarks import gpu_fakes


def test_the_table_has_every_part_row_and_trouble() -> None:
    table = report.table(gpu_fakes.result())
    for text in (
        "NVIDIA H100 80GB HBM3 (capability 9.0, 132 multiprocessors), driver 580.1",
        "2026-01-02, commit cccccccccccc; when it began: sm_mhz 1755.",
        "7 passed, 1 failed, 2 skipped",
        "memcheck: 0 errors, racecheck: 3 errors",
        "racecheck: 3 errors in 4 calls",
        "2 figures of 1 programs; of commit dddddddddddd",
        "| bench     | interrupted |",
        "Failed: tests.gpu.test_x::test_y",
        "E  assert 1 == 2",
        "- captions/bfloat16: triton (forward): there is none",
        "compiled (forward + backward): not capturable",
        "- activity-256/bfloat16: failed: stalled after 60 s",
        "Not run for want of time: grid-h512-b8-t1024/float16.",
        "not measured | 4 figures, 23 lacking",
        "### graph_gap",
        "| graph | 1.23 ",
        "2500",
        "The floor is a model, not a measurement, for an H100: H100 at 1.755 GHz",
    ):
        assert text in table, text


def test_lines_hold_microseconds_per_step_beside_the_floor() -> None:
    table = report.table(gpu_fakes.result())
    lines = [line for line in table.splitlines() if line.startswith("| T=20 B=100")]
    assert len(lines) == 4
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert cells == [
        *("T=20 B=100 I=1000 H=1000", "bfloat16", "forward", "graph"),
        *(
            "cluster",
            "10",
            "-",
            "refused",
            "40",
            "no graph",
            "2.7",
            "**4.00** (3.90 to 4.10)",
            "3.7",
            "-",
            "-",
        ),
    ]
    training = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert training[2] == "forward + backward" and training[10] == "5.7"
    assert training[-2:] == ["5", "25"]
    assert "Geometric means of torch / ours, forward, as graphs: bfloat16 4.00." in table


def test_long_lists_and_reasons_are_cut() -> None:
    made = gpu_fakes.result()
    made["parts"]["bench"]["not_run"] = [f"row{number}" for number in range(100)]
    made["parts"]["sanitizer"]["reason"] = "word " * 1000
    table = report.table(made)
    assert "row11 and 88 more." in table and "row12" not in table
    assert max(map(len, report.summary(made).splitlines())) < 300 and "word ..." in table


def test_steps_of_all_layers_count() -> None:
    made = gpu_fakes.result()
    made["parts"]["bench"]["rows"] = [gpu_fakes.row("captions-2layers")]
    (line, *_) = [line for line in report.table(made).splitlines() if line.startswith("| T=20")]
    assert [cell.strip() for cell in line.split("|")][6] == "10"


def test_another_chip_has_no_floor() -> None:
    row = gpu_fakes.row()
    assert floor_of(row, "inference", [9, 0]) == 2.7
    assert floor_of(row, "inference", [8, 0]) is None
    row["shape"]["bidirectional"] = True
    assert floor_of(row, "inference", [9, 0]) is None


def test_the_summary_is_short_and_has_the_papers_shapes() -> None:
    summary = report.summary(gpu_fakes.result())
    assert "T=20 B=100" in summary and "7 passed" in summary
    assert "eager" not in summary and "###" in summary
    assert len(summary) < 6000


def test_a_result_that_has_just_begun_can_be_shown() -> None:
    made = {**gpu_fakes.result(), "parts": {}}
    assert "NVIDIA H100" in report.table(made) and "NVIDIA H100" in report.summary(made)


def test_a_gpus_result_does_not_disturb_the_cpus(tmp_path: Path) -> None:
    (tmp_path / f"{gpu_fakes.STEM}.json").write_text(json.dumps(gpu_fakes.result()))
    machine = {"cpu": "A", "cores": 2, "isa": "avx2", "threads": 2}
    cpu = {"date": "2026-01-01", "settings": {"dtype": "float32"}, "machine": machine}
    (tmp_path / "cpu-avx2-2t.json").write_text(json.dumps(cpu))
    assert documents.published(tmp_path) == [cpu]
