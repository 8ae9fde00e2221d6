from typing import Any

from benchmarks.gpu.targets import targets
from tests.benchmarks.gpu_fakes import row


def step_of(microseconds: float, name: str = "activity-256") -> Any:
    """A row whose forward step takes so long as a graph."""
    made = row(name)
    median = {"native": microseconds * 1e-6 * made["shape"]["steps"]}
    inference = {**made["modes"]["inference"]}
    inference["graph"] = {**inference["graph"], "median": median}
    return {**made, "modes": {**made["modes"], "inference": inference}}


def states(rows: list[Any], paper: list[str]) -> list[str]:
    return [target.state for target in targets({"rows": rows}, paper)]


def test_nothing_is_met_that_was_not_measured() -> None:
    assert [target.state for target in targets({}, ["a"])] == ["not measured"] * 3
    failed = {"name": "captions/bfloat16", "failed": "stalled after 60 s"}
    assert states([failed], ["captions/bfloat16"]) == ["not measured"] * 3


def test_every_row_of_the_paper_counts() -> None:
    made = row()
    assert states([made], [made["name"]])[0] == "met"
    assert states([made], [made["name"], "another"])[0] == "not measured"
    without = {**made["modes"]["training"], "graph": {"ratio": {}}, "eager": {"ratio": {}}}
    refused = {**made, "modes": {**made["modes"], "training": without}}
    assert states([refused], [made["name"]])[0] == "not measured"
    ratio = {"native": {"median": 0.97, "low": 0.9, "high": 1.0}}
    slower = {**made["modes"]["training"], "eager": {"ratio": ratio}}
    found = next(targets({"rows": [{**made, "modes": {"training": slower}}]}, [made["name"]]))
    assert found.state == "missed"
    assert "0.97: captions/bfloat16, training, eager" in str(found)


def test_the_worst_step_counts() -> None:
    assert states([step_of(2.9), step_of(5.9, "activity-1024")], [])[1:] == ["met", "met"]
    assert states([step_of(2.9), step_of(3.1)], [])[1:] == ["missed", "not measured"]
    assert states([step_of(6.0, "activity-1024")], [])[1:] == ["not measured", "missed"]
    large = step_of(9.0)
    large["shape"]["batch"] = 65
    assert states([step_of(2.9), large], [])[1] == "met"
    assert states([{**step_of(9.0), "precision": "float16"}], [])[1] == "not measured"
