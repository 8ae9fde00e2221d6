"""The benchmark of whole nets, with nets that are small: checks, counts, table, command line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.nets import __main__ as main
from benchmarks.nets import cases, memory, peers, report
from benchmarks.nets.cases import Case, Work
from benchmarks.nets.measure import QUICK, measure
from benchmarks.nets.targets import targets
from benchmarks.nets.traffic import moved
from benchmarks.report import update_between
from lrcn_fast.nn import CaffeNet, HybridNet
from tests.helpers.tolerance import assert_equal_to_oracle

SMALL: dict[str, Any] = {"width": 1 / 12, "image_size": (69, 85)}
TINY = Case("tiny", "HybridNet", 5, 2, **SMALL)
RAGGED = Case("ragged", "HybridNet", 5, 2, lengths=(5, 2), **SMALL)
STEP = Case("step", "HybridNet", 3, 2, mode="training", **SMALL)


@pytest.mark.parametrize("case", [TINY, RAGGED, STEP], ids=lambda case: case.name)
def test_all_implementations_are_checked_and_timed(case: Case) -> None:
    record = measure(case, budget=QUICK)
    names = {peers.OURS, *peers.EAGER, *([peers.PADDED] if case.lengths else [])}
    assert record["refused"] == {}
    assert record["errors"].keys() == record["bytes"].keys() == names
    timed = names | ({peers.PRODUCTS} if case is TINY else set())
    assert record["median"].keys() == timed
    assert record["ratio"].keys() == timed - {peers.OURS}
    assert record["frames"] == (7 if case.lengths else 5 * case.batch if case is TINY else 6)
    assert record["bytes"][peers.OURS] < record["bytes"][peers.TORCH]
    assert json.loads(json.dumps(record)) == record


class Wrong(peers.TorchNet):
    """Right but for the last digits that matter."""

    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(frames) * (1 + 1e-4)


def test_products_are_those_of_the_net() -> None:
    bench = peers.Bench(TINY, torch.float64)
    features = bench.job(peers.TORCH).run()[0]
    (last,) = bench.job(peers.PRODUCTS).run()
    assert_equal_to_oracle(last.relu(), features.flatten(0, 1), "fc6")


def test_no_time_is_taken_of_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    build = peers.Bench._module

    def module(bench: peers.Bench, name: str, dtype: torch.dtype) -> nn.Module:
        return Wrong(bench.net) if name == peers.OURS else build(bench, name, dtype)

    monkeypatch.setattr(peers.Bench, "_module", module)
    record = measure(TINY, budget=QUICK)
    assert "features: error" in record["refused"][peers.OURS]
    assert record["median"].keys() == {*peers.EAGER, peers.PRODUCTS}
    assert record["ratio"] == {}
    result = {**fake_result(), "rows": [record]}
    assert "| refused" in report.table(result)
    assert "Refused in tiny: lrcn_fast" in report.table(result)


def test_work_is_the_papers() -> None:
    with torch.device("meta"):
        hybrid, caffe = Work.of(HybridNet("fc6")), Work.of(CaffeNet("fc6"))
    # 1.19 GMAC a frame to fc6; CaffeNet 666 MMAC of convolutions and 38 of fc6.
    assert hybrid.multiplications == 1_189_919_520
    assert round(caffe.multiplications / 1e6) == 704
    # 227 x 227 x 3 in, then 27 x 27 x 96, 13 x 13 x 256, twice 13 x 13 x 384, 6 x 6 x 256, 4096.
    between = 27**2 * 96 + 13**2 * (256 + 384 + 384) + 6**2 * 256
    assert caffe.values == 227**2 * 3 + 2 * between + 4096


def test_bytes_are_those_of_arguments_and_results() -> None:
    x, weight = torch.randn(8, 4), torch.randn(3, 4)
    # A product reads 32 values and writes 24; a ReLU in place reads and writes 24; views nothing.
    assert moved(lambda: (x @ weight.t()).view(24).relu_(), [weight]) == 4 * (32 + 24 + 24 + 24)
    assert moved(lambda: torch.empty(100), []) == 0


def test_large_rows_are_measured_by_name_only() -> None:
    assert all(not case.large for case in cases.cases())
    assert all(not case.large for case in cases.cases("caffenet,hybrid"))
    assert [case.name for case in cases.cases("hybrid-fc6-256")] == ["hybrid-fc6-256"]
    assert 0.39 < next(cases.cases("ragged")).padding < 0.41


def fake_row(name: str = "hybrid-fc6", ours: float = 2.0, **changes: Any) -> dict[str, Any]:
    times = {"torch": 4.0, "channels_last": 3.2}
    ratios = {
        peer: {"median": ours / seconds, "low": ours / seconds, "high": ours / seconds}
        for peer, seconds in times.items()
    }
    return {
        "name": name,
        "label": "HybridNet T=16 B=1",
        "refused": {},
        "median": {"lrcn_fast": ours, **times},
        "ratio": ratios,
        "frames_per_second": {"lrcn_fast": 16 / ours},
        "bytes": {"lrcn_fast": 2.0e7, "torch": 9.0e7},
        "least_bytes": 5e6,
        "padding": 0.0,
        **changes,
    }


def fake_result() -> dict[str, Any]:
    padded = fake_row("hybrid-ragged", padding=0.4)
    padded["median"][peers.PADDED] = 3.2
    padded["ratio"][peers.PADDED] = {"median": 0.625, "low": 0.6, "high": 0.65}
    return {
        "date": "2026-01-02T03:04:05+00:00",
        "settings": {"large": False},
        "machine": {"cpu": "A CPU", "threads": 2, "isa": "avx512"},
        "versions": {"torch": "2.13.0", "lrcn_fast": "0.1.0"},
        "rows": [fake_row(peak_bytes={"lrcn_fast": 2**20, "torch": 2**22}), padded],
        "other_load": 0.5,
    }


def test_table() -> None:
    table = report.table(fake_result())
    assert "**1.60** (1.60 to 1.60)" in table
    assert "| 20.0       | 90.0  | 5.0" in table
    assert "lrcn_fast 1, torch 4" in table
    assert "with the 40% of padding computed too, 3.20 s, 1.60 times as long" in table
    assert "not to be trusted" in table


def test_targets() -> None:
    found = {target.what.split(":")[0]: target for target in targets(fake_result()["rows"])}
    assert found["caffenet-fc6"].state == "not measured"
    assert found["hybrid-fc6"].state == "met"
    assert found["hybrid-fc6"].shown == "1.60 times channels_last"
    bounded = fake_row()
    bounded["ratio"][peers.PRODUCTS] = dict.fromkeys(("median", "low", "high"), 1.25)
    shown = next(each.shown for each in targets([bounded]) if each.what.startswith("hybrid-fc6"))
    assert shown == "1.60 times channels_last; 2.00 if all but torch's products were free"
    saved = list(targets(fake_result()["rows"]))[-1]
    assert (saved.state, saved.shown) == ("met", "94% in hybrid-ragged")
    slow = list(targets([fake_row(ours=3.0)]))
    assert [target.state for target in slow] == ["not measured", "missed", "not measured"]


def test_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cases, "CASES", (TINY,))
    monkeypatch.setattr(memory, "in_fresh_process", lambda case, name, threads: len(name))
    options = ["--quick", "--no-compile", "--threads", "1", "--output", str(tmp_path)]
    assert main.main(options) == 0
    (data,) = tmp_path.glob("*.json")
    assert data.stem.startswith("nets-cpu-") and data.stem.endswith("-1t")
    result = json.loads(data.read_text(encoding="utf-8"))
    assert result["rows"][0]["peak_bytes"] == {"lrcn_fast": 9, "torch": 5, "channels_last": 13}
    assert data.with_suffix(".md").read_text(encoding="utf-8") in capsys.readouterr().out
    docs = tmp_path / "docs.md"
    docs.write_text(f"before\n{report.MARKS[0]}\n{report.MARKS[1]}\nafter\n")
    monkeypatch.setattr(main, "DOCS", docs)
    assert main.main([*options, "--update-docs"]) == 0
    assert report.table(result) in docs.read_text()
    monkeypatch.setattr(cases, "CASES", (TINY, replace(TINY, name="all", large=True)))
    monkeypatch.setattr(main, "CASES", cases.CASES)
    assert main.main([*options, "--large", "--no-memory"]) == 0
    (data,) = tmp_path.glob("nets-large-cpu-*.json")
    assert [row["name"] for row in json.loads(data.read_text())["rows"]] == ["all"]
    assert main.main(["--filter", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_memory_of_fresh_processes() -> None:
    case = next(cases.cases("caffenet-fc6"))
    frames = 16 * 3 * 227 * 227 * 4
    ours, theirs = (memory.in_fresh_process(case, name, 1) for name in ("lrcn_fast", "torch"))
    assert frames < ours < theirs
    with pytest.raises(RuntimeError, match="memory of nobody could not be measured"):
        memory.in_fresh_process(case, "nobody", 1)


def test_markers_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("<b> <b> <e>")
    with pytest.raises(ValueError, match="expected <b> and then <e>, once each"):
        update_between(path, "<b>", "<e>", "text")
