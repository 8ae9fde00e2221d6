"""The benchmark of captions: peers, checks, table, command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.captions import __main__ as main
from benchmarks.captions import measure as measuring
from benchmarks.captions import report
from benchmarks.captions.measure import QUICK, measure
from benchmarks.captions.rows import (
    BATCHED,
    OURS,
    PREFIX,
    ROWS,
    TORCH,
    TUTORIAL,
    Loss,
    Search,
    Sizes,
)

SMALL = Sizes(60, 16)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("images", [1, 4])
def test_all_loops_find_the_same_words(images: int, beam: int) -> None:
    calls = Search(images, beam, 5, SMALL).calls()
    with torch.no_grad():
        found = {name: call() for name, call in calls.items()}
    assert found[OURS].shape == (images, 5) and (found[OURS] > 0).all()
    assert torch.equal(found[BATCHED], found[OURS])
    for name in (TUTORIAL, PREFIX):
        assert torch.equal(found[name], found[OURS][:1])


@pytest.mark.parametrize("row", [Search(3, 2, 4, SMALL), Loss(3, 4, SMALL)])
def test_all_are_checked_and_timed(row: Search | Loss) -> None:
    record = measure(row, QUICK)
    assert record["refused"] == {}
    assert tuple(sorted(record["median"])) == tuple(sorted(row.peers))
    assert record["ratio"].keys() == set(row.peers) - {OURS}


def test_one_image_is_scaled_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call takes a second: peers that take one image need as many seconds as there are."""
    monkeypatch.setattr(
        measuring.timing, "wall", lambda call, number: float(bool([call()])) * number
    )
    record = measure(Search(4, 2, 3, SMALL), QUICK)
    assert record["median"] == {OURS: 1, BATCHED: 1, TUTORIAL: 4, PREFIX: 4}
    assert {name: ratio["median"] for name, ratio in record["ratio"].items()} == {
        BATCHED: 1,
        TUTORIAL: 0.25,
        PREFIX: 0.25,
    }


@pytest.mark.parametrize("part", ["loss", "hidden", "weight", "bias"])
@pytest.mark.parametrize("wrong", [OURS, TORCH])
def test_no_time_is_taken_of_a_wrong_loss(
    wrong: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Loss(3, 4, SMALL)
    original = Loss.calls

    def calls(self: Loss, dtype: torch.dtype = torch.float32) -> Any:
        found = original(self, dtype)
        right = found[wrong]

        def with_one_wrong_element() -> dict[str, Tensor]:
            results = right()
            values = results[part].flatten()
            values[0] += 0.01 * values.abs().max()
            return {**results, part: values.view_as(results[part])}

        if dtype == torch.float32:
            found[wrong] = with_one_wrong_element
        return found

    monkeypatch.setattr(Loss, "calls", calls)
    record = measure(row, QUICK)
    assert wrong in record["refused"] and wrong not in record["median"]


def test_other_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Search.calls

    def calls(self: Search) -> Any:
        found = original(self)
        right = found[BATCHED]
        found[BATCHED] = lambda: right() + 1
        return found

    monkeypatch.setattr(Search, "calls", calls)
    record = measure(Search(2, 2, 3, SMALL), QUICK)
    assert "other words" in record["refused"][BATCHED] and BATCHED not in record["ratio"]


def _record(name: str, ratios: dict[str, float], peaks: dict[str, int]) -> dict[str, Any]:
    ratio = {key: dict.fromkeys(("low", "median", "high"), 1 / x) for key, x in ratios.items()}
    median = {OURS: 0.5, **{key: 0.5 * x for key, x in ratios.items()}}
    return {"name": name, "refused": {}, "median": median, "ratio": ratio, "peak_bytes": peaks}


def test_targets() -> None:
    loss = _record("loss", {TORCH: 1.4}, {OURS: 60, TORCH: 100})
    search = _record("images8-beam5-words12", {BATCHED: 2.9, TUTORIAL: 11.0}, {})
    states = [target.state for target in report.targets([search, loss])]
    assert states == ["missed", "met", "not measured", "not measured", "met", "missed"]


def test_command_keeps_rows_of_the_same_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "ROWS", (Search(1, 1, 12, SMALL), Search(1, 5, 12, SMALL)))
    common = ["--quick", "--threads", "1", "--no-memory", "--output", str(tmp_path)]
    for part in ("beam5", "beam1"):
        assert main.main([*common, "--filter", part]) == 0
    (data,) = tmp_path.glob("captions-cpu-*-1t.json")
    names = [row["name"] for row in json.loads(data.read_text())["rows"]]
    assert names == ["images1-beam1-words12", "images1-beam5-words12"]
    monkeypatch.setattr(main, "DOCS", tmp_path / "docs.md")
    main.DOCS.write_text(f"{report.BEGIN}\n{report.END}\n")
    assert main.main(["--update-docs", "--threads", "1", "--output", str(tmp_path)]) == 0
    assert "| images1-beam5-words12" in main.DOCS.read_text()
    assert main.main(["--update-docs", "--output", str(tmp_path / "none")]) == 2
    assert main.main(["--filter", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_rows_are_told_apart_by_name() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) == 13
