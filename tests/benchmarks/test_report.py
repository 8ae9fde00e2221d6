import json
from pathlib import Path

import pytest

from benchmarks import plot, report, table
from benchmarks.report import Result
from tests.benchmarks import fakes


@pytest.fixture(scope="module")
def result() -> Result:
    return fakes.tiny_result()


def test_the_json_holds_machine_versions_and_every_sample(result: Result, tmp_path: Path) -> None:
    data, _ = table.write(result, tmp_path)
    read = json.loads(data.read_text(encoding="utf-8"))
    assert data.stem == f"cpu-{read['machine']['isa']}-{read['machine']['threads']}t"
    assert read["machine"].keys() == {"cpu", "architecture", "system", "cores", "threads", "isa"}
    assert {"python", "torch", "lrcn_fast"} <= read["versions"].keys()
    assert {"date", "commit"} <= read.keys()
    assert [row["name"] for row in read["rows"]] == ["tiny", "tiny", "tiny-step", "tiny-cell"]
    for row in read["rows"]:
        samples = row["seconds"]
        assert {"torch", "lrcn_fast"} <= samples.keys()
        assert len({len(of_one) for of_one in samples.values()}) == 1
        assert len(samples["torch"]) >= 3
        assert row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"]
        assert row["gflops"]["torch"] == row["flops"] / row["median"]["torch"] / 1e9
        share = row["share_of_peak"]["lrcn_fast"]
        assert share == row["gflops"]["lrcn_fast"] / read["peak"]["gflops"]


def test_the_table_has_a_line_for_every_row(result: Result, tmp_path: Path) -> None:
    _, text = table.write(result, tmp_path)
    shown = text.read_text(encoding="utf-8")
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(result["rows"])
    assert len({len(line) for line in lines}) == 1
    for line, row in zip(lines[2:], result["rows"], strict=True):
        assert row["label"] in line and row["case"] in line
        assert f"**{row['ratio']['median']:.2f}**" in line
        if peer := row["peers"].get(table.PEER):
            assert f"**{peer['median']:.2f}**" in line


def test_a_refused_row_has_its_reason_and_no_figures() -> None:
    shown = table.table(fakes.tiny_result(fakes.ScaledOutput))
    assert sum("| refused" in line for line in shown.splitlines()) == 3
    assert "Refused: tiny-inference: lrcn_fast: output: error" in shown


def test_a_peer_without_rows_has_no_column(result: Result) -> None:
    rows = [{**row, "peers": {}} for row in result["rows"]]
    shown = table.table({**result, "rows": rows, "lacking": "onnx not installed"})
    assert table.PEER_HEADER not in shown.splitlines()[0]
    assert f"{table.PEER_HEADER} is not measured: onnx not installed." in shown


def test_means_leave_out_frozen_features() -> None:
    result = fakes.whole_result(
        2.0, activity_256_frozen_training=9.0, captions_training=8.0, cont_training=8.0
    )
    found = table.means(table.timed(result))
    assert found["training"] == pytest.approx(2 * 4 ** (1 / 8))
    assert found["cont"] == pytest.approx(4.0)
    assert found["inference"] == found["single steps"] == pytest.approx(2.0)


def test_rows_of_the_same_commit_are_kept(result: Result) -> None:
    order = [row["case"] for row in result["rows"]]
    first, rest = result["rows"][:1], result["rows"][1:]
    merged = {**result, "rows": rest, "other_load": 0.1}
    report.merge(merged, {**result, "rows": first, "other_load": 0.3}, order, "case")
    assert merged["rows"] == result["rows"]
    assert merged["other_load"] == 0.3
    again = {**result, "rows": rest}
    report.merge(again, {**result, "rows": first, "commit": "another"}, order, "case")
    assert again["rows"] == rest


def test_a_busy_machine_is_told_from_a_quiet_one(result: Result) -> None:
    assert "not to be trusted" in table.table({**result, "other_load": 0.25})
    assert "Other programs used 25% of" in table.table({**result, "other_load": 0.25})
    for quiet in (0.0, 0.05, None):
        assert "not to be trusted" not in table.table({**result, "other_load": quiet})
    assert 0.0 <= result["other_load"] <= 1.0


def test_another_dtype_has_a_file_of_its_own(result: Result) -> None:
    other = {**result, "settings": {**result["settings"], "dtype": "bfloat16"}}
    assert table.file_stem(other) == f"{table.file_stem(result)}-bfloat16"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.3456, "12.3 s"), (0.0101, "10.1 ms"), (1e-3, "1.00 ms"), (4.56e-6, "4.56 us")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


BEGIN, END = "<!-- a:begin -->", "<!-- a:end -->"
PAGE = f"# title\n\nbefore\n{BEGIN}\nold\n{END}\nafter\n"


def test_a_page_is_changed_between_its_markers_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert report.update_between(page, BEGIN, END, "new\n")
    once = page.read_text(encoding="utf-8")
    assert once == PAGE.replace("old", "new")
    assert not report.update_between(page, BEGIN, END, "new\n")
    assert page.read_text(encoding="utf-8") == once


@pytest.mark.parametrize("text", ["none", BEGIN, PAGE + PAGE, f"{END}{BEGIN}"])
def test_a_page_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="once each"):
        report.update_between(page, BEGIN, END, "new\n")
    assert page.read_text() == text


def test_the_plot_is_a_png_of_the_promised_width(result: Result, tmp_path: Path) -> None:
    matplotlib_image = pytest.importorskip("matplotlib.image", reason="matplotlib draws the plot")
    pixels = matplotlib_image.imread(plot.draw(result, tmp_path / "images" / "plot.png"))
    assert pixels.shape[1] == 1600
    assert pixels.std() > 0.05


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        plot.draw({"rows": [{"refused": "why"}]}, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())
