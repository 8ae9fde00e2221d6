import json
from pathlib import Path

import pytest

from benchmarks import documents, memory_report, table
from tests.benchmarks import fakes

MEMORY = {
    "steps": [1000, 2000],
    "recompute_every": 500,
    "shape": {"batch": 1, "input_size": 256, "hidden_size": 256},
    "bytes": {
        "torch": [200 * 2**20, 400 * 2**20],
        "lrcn_fast": [100 * 2**20, 200 * 2**20],
        "recomputing": [50 * 2**20, 90 * 2**20],
    },
}


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    parts = {"README": ["bench"], "SUMMARY": ["lstm"], "PAGE": ["rows", "memory"]}
    for name, marks in parts.items():
        path = tmp_path / getattr(documents, name).relative_to(documents.ROOT)
        path.write_text("".join("{}\n{}\n".format(*documents.marks(mark)) for mark in marks))
        monkeypatch.setattr(documents, name, path)
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    monkeypatch.setattr(documents, "IMAGES", tmp_path / "docs" / "images")
    return tmp_path


def test_all_pages_show_the_results(pages: Path) -> None:
    results = pages / "results"
    for ratio, dtype, threads in [(3.25, "float32", 2), (2.5, "bfloat16", 2), (1.75, "float32", 1)]:
        table.write(fakes.whole_result(ratio, dtype, threads), results)
    memory_report.write({**fakes.tiny_result(), **MEMORY}, results)
    told = documents.update(results)
    assert all("now shows" in line for line in told)
    first = {path: path.read_bytes() for path in pages.rglob("*.md")}
    readme = documents.README.read_text()
    (image,) = (pages / "docs" / "images").glob("bench-*.png")
    assert f"(docs/images/{image.name})" in readme
    assert readme.index("| float32, 2 threads") < readme.index("| float32, 1 thread ")
    assert "| streaming steps, H=1000, each" in documents.SUMMARY.read_text()
    page = documents.PAGE.read_text()
    assert "### float32, 2 threads" in page and "### bfloat16, 2 threads" in page
    assert "| 1.75 " in page
    assert "| 2,000 | 400           | 200       | 90" in page
    assert (
        pages / "docs" / "images" / f"{memory_report.file_stem(fakes.tiny_result())}.png"
    ).exists()
    assert all("already shows" in line for line in documents.update(results))
    assert first == {path: path.read_bytes() for path in pages.rglob("*.md")}


def test_the_machine_measured_last_is_shown(tmp_path: Path) -> None:
    for number, isa in enumerate(("avx2", "avx512"), 1):
        result = fakes.whole_result(2.0)
        result["machine"]["isa"] = isa
        result["date"] = f"2026-01-0{number}T00:00:00+00:00"
        table.write(result, tmp_path)
    (tmp_path / "captions-cpu-avx2-2t.json").write_text(json.dumps({"date": "2027"}))
    assert [result["machine"]["isa"] for result in documents.published(tmp_path)] == ["avx512"]


def test_without_a_result_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m benchmarks"):
        documents.published(tmp_path)
