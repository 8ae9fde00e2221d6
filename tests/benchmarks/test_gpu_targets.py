from typing import Any

from benchmarks.gpu.floor import floor_of
from benchmarks.gpu.rows import rows
from benchmarks.gpu.targets import cudnn_persists, targets
from tests.benchmarks.gpu_fakes import row


def step_of(microseconds: float, name: str = "activity-256") -> Any:
    """A row whose forward step takes so long as a graph."""
    made = row(name)
    median = {"native": microseconds * 1e-6 * made["shape"]["steps"]}
    inference = {**made["modes"]["inference"]}
    inference["graph"] = {**inference["graph"], "median": median}
    return {**made, "modes": {**made["modes"], "inference": inference}}


def states(rows: list[Any], paper: list[str]) -> list[str]:
    """Of the paper's rows, of the grid's, and of steps at both H."""
    listed = [{"name": name, "group": "paper"} for name in paper]
    return [target.state for target in targets({"rows": rows}, listed, (9, 0))][:4]


def test_nothing_is_met_that_was_not_measured() -> None:
    everything = [row.describe() for row in rows()]
    found = [target.state for target in targets({}, everything, (9, 0))]
    assert found == ["not measured"] * 14
    failed = {"name": "captions/bfloat16", "failed": "stalled after 60 s"}
    assert states([failed], ["captions/bfloat16"]) == ["not measured"] * 4


def test_every_row_of_the_paper_counts() -> None:
    made = row()
    assert states([made], [made["name"]])[0] == "met"
    assert states([made], [made["name"], "another"])[0] == "not measured"
    without = {**made["modes"]["training"], "graph": {"ratio": {}}, "eager": {"ratio": {}}}
    refused = {**made, "modes": {**made["modes"], "training": without}}
    assert states([refused], [made["name"]])[0] == "not measured"
    ratio = {"native": {"median": 0.97, "low": 0.9, "high": 1.0}}
    slower = {**made["modes"]["training"], "eager": {"ratio": ratio}}
    listed = [{"name": made["name"], "group": "paper"}]
    found = next(targets({"rows": [{**made, "modes": {"training": slower}}]}, listed, (9, 0)))
    assert found.state == "missed"
    assert "0.97: captions/bfloat16, training, eager" in found.shown


def test_the_worst_step_counts() -> None:
    assert states([step_of(2.9), step_of(5.9, "activity-1024")], [])[2:] == ["met", "met"]
    assert states([step_of(2.9), step_of(3.1)], [])[2:] == ["missed", "not measured"]
    assert states([step_of(6.0, "activity-1024")], [])[2:] == ["not measured", "missed"]
    large = step_of(9.0)
    large["shape"]["batch"] = 65
    assert states([step_of(2.9), large], [])[2] == "met"
    assert states([{**step_of(9.0), "precision": "float16"}], [])[2] == "not measured"


def grid(times_cudnn: float, times_floor: float) -> list[Any]:
    """Every row of the grid, so many times faster than cuDNN and slower than the floor."""
    found = []
    for listed in rows():
        described = listed.describe()
        steps = described["shape"]["steps"] * described["shape"]["num_layers"]
        modes = {}
        for mode in ("inference", "training"):
            floor = floor_of(described, mode, (9, 0))
            assert floor is not None
            times = {
                "median": {"native": times_floor * floor * 1e-6 * steps},
                "ratio": {"native": {"median": times_cudnn, "low": 1.0, "high": 9.0}},
            }
            modes[mode] = {"graph": times}
        found.append({**described, "modes": modes})
    return [row for row in found if row["group"] == "grid"]


def test_means_over_the_grid() -> None:
    listed = [row.describe() for row in rows()]

    def found(made: list[Any], capability: tuple[int, int] = (9, 0)) -> dict[str, str]:
        return {t.what: t.state for t in targets({"rows": made}, listed, capability)}

    good, slow = found(grid(3.1, 1.4)), found(grid(2.7, 1.6))
    for words, state in {
        "in the grid": "met",
        "bfloat16 grid, forward: 3 times cuDNN": "missed",
        "TF32 grid, forward + backward: 2.5 times cuDNN": "met",
        "TF32 grid, forward: within 1.5 times the floor": "missed",
        "float16 where cuDNN is persistent, forward: 1.2 times cuDNN": "met",
    }.items():
        (name,) = [what for what in good if words in what]
        assert (good[name], slow[name]) == ("met", state), name
    assert set(found(grid(3.1, 1.4)[1:]).values()) == {"met", "not measured"}
    assert found(grid(3.1, 1.4), (8, 0))["TF32 grid, forward: within 1.5 times the floor"] == (
        "not measured"
    )


def test_cudnn_is_persistent_for_few_shapes() -> None:
    half = [r.describe()["shape"] for r in rows() if r.group == "grid" and r.precision == "float16"]
    kept = [shape for shape in half if cudnn_persists(shape)]
    assert {shape["hidden_size"] for shape in kept} == {256, 512, 1024}
    assert {shape["batch"] for shape in kept} == {8, 24, 64}
    assert not cudnn_persists({**kept[0], "num_layers": 2})
