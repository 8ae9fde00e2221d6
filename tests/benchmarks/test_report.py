import json
from pathlib import Path

import pytest

from benchmarks import plot, report
from tests.benchmarks import fakes

README = f"# title\n\nbefore\n{report.BEGIN}\nold\n{report.END}\nafter\n"


@pytest.fixture(scope="module")
def result() -> report.Result:
    made = fakes.tiny_result()
    made["memory"] = {
        "label": "T=8",
        "bytes": {"torch": 200 * 2**20, "lrcn_fast": 100 * 2**20},
        "ratio": 2.0,
    }
    return made


def test_the_json_holds_machine_versions_and_every_sample(
    result: report.Result, tmp_path: Path
) -> None:
    data, _ = report.write(result, tmp_path)
    read = json.loads(data.read_text(encoding="utf-8"))
    assert data.stem == f"cpu-{read['machine']['isa']}-{read['machine']['threads']}t"
    assert read["machine"].keys() == {"cpu", "architecture", "system", "cores", "threads", "isa"}
    assert {"python", "torch", "lrcn_fast"} <= read["versions"].keys()
    assert {"date", "commit"} <= read.keys()
    assert [row["name"] for row in read["rows"]] == ["tiny", "tiny", "tiny-step", "tiny-cell"]
    for row in read["rows"]:
        samples = row["seconds"]
        assert len(samples["torch"]) == len(samples["lrcn_fast"]) >= 3
        assert row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"]
        assert row["gflops"]["torch"] == row["flops"] / row["median"]["torch"] / 1e9


def test_the_table_has_a_line_for_every_row(result: report.Result, tmp_path: Path) -> None:
    _, text = report.write(result, tmp_path)
    table = text.read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(result["rows"])
    assert len({len(line) for line in lines}) == 1
    for line, row in zip(lines[2:], result["rows"], strict=True):
        assert row["label"] in line
        assert f"**{row['ratio']['median']:.2f}**" in line
    assert "torch.nn.LSTM 200 MiB, lrcn_fast 100 MiB, torch / ours 2.00" in table


def test_a_refused_row_has_its_reason_and_no_figures(tmp_path: Path) -> None:
    table = report.table(fakes.tiny_result(fakes.ScaledOutput))
    refused = [line for line in table.splitlines() if "| refused" in line]
    assert len(refused) == 3
    assert "Refused: tiny-inference: lrcn_fast: output: error" in table


def test_a_busy_machine_is_told_from_a_quiet_one(result: report.Result) -> None:
    assert "not to be trusted" in report.table({**result, "other_load": 0.25})
    assert "Other programs used 25% of" in report.table({**result, "other_load": 0.25})
    for quiet in (0.0, 0.05, None):
        assert "not to be trusted" not in report.table({**result, "other_load": quiet})
    assert 0.0 <= result["other_load"] <= 1.0


def test_another_dtype_has_a_file_of_its_own(result: report.Result) -> None:
    other = {**result, "settings": {**result["settings"], "dtype": "bfloat16"}}
    assert report.file_stem(other) == f"{report.file_stem(result)}-bfloat16"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.3456, "12.3 s"), (0.0101, "10.1 ms"), (1e-3, "1.00 ms"), (4.56e-6, "4.56 us")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_the_newest_result_of_a_dtype_is_found(result: report.Result, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m benchmarks"):
        report.newest(tmp_path)
    for name, date, dtype in [
        ("a", "2026-01-02T00:00:00+00:00", "float32"),
        ("b", "2026-01-01T00:00:00+00:00", "float32"),
        ("c", "2026-01-03T00:00:00+00:00", "bfloat16"),
    ]:
        made = {"date": date, "settings": {"dtype": dtype}}
        (tmp_path / f"{name}.json").write_text(json.dumps(made))
    assert report.newest(tmp_path).stem == "a"
    assert report.newest(tmp_path, "bfloat16").stem == "c"


def test_the_readme_is_updated_once(result: report.Result, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    image = tmp_path / "docs" / "images" / "plot.png"
    assert report.update_readme(result, image, readme)
    once = readme.read_text(encoding="utf-8")
    assert not report.update_readme(result, image, readme)
    assert readme.read_text(encoding="utf-8") == once
    assert once.startswith("# title\n\nbefore\n")
    assert once.endswith(f"{report.END}\nafter\n")
    assert "old" not in once
    assert "(docs/images/plot.png)" in once
    assert report.table(result) in once


@pytest.mark.parametrize(
    "text", ["none", report.BEGIN, README + README, f"{report.END}{report.BEGIN}"]
)
def test_a_readme_without_its_markers_is_left_alone(
    result: report.Result, tmp_path: Path, text: str
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match="once each"):
        report.update_readme(result, tmp_path / "plot.png", readme)
    assert readme.read_text() == text


def test_the_plot_is_a_png_of_the_promised_width(result: report.Result, tmp_path: Path) -> None:
    matplotlib_image = pytest.importorskip("matplotlib.image", reason="matplotlib draws the plot")
    pixels = matplotlib_image.imread(plot.draw(result, tmp_path / "images" / "plot.png"))
    assert pixels.shape[1] == 1600
    assert pixels.std() > 0.05


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        plot.draw({"rows": [{"refused": "why"}]}, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())
