import pytest

from benchmarks import targets
from benchmarks.targets import GOALS
from tests.benchmarks import fakes


def _states(result: dict[str, object]) -> dict[str, str]:
    return {goal.what: targets.found(goal, result).state for goal in GOALS}


def test_all_are_met_where_everything_is_fast() -> None:
    assert set(_states(fakes.whole_result(10.0)).values()) == {"met"}
    assert set(_states(fakes.whole_result(0.9)).values()) == {"missed"}


@pytest.mark.parametrize(
    ("row", "goal"),
    [
        ("bidirectional_inference", "every row"),
        ("long_b1_training", "sequences with B=1, each"),
        ("stream_b5_2layers_step", "streaming steps, H=1000, each"),
        ("ragged_inference", "PackedSequence, each"),
    ],
)
def test_one_row_behind_is_named(row: str, goal: str) -> None:
    wanted = next(found for found in GOALS if found.what == goal)
    result = fakes.whole_result(20.0, **{row: wanted.least - 0.01})
    found = targets.found(wanted, result)
    assert found.state == "missed"
    assert found.shown.startswith(f"{wanted.least - 0.01:.2f} in {row.replace('_', '-')}, 1 of ")


def test_means_are_of_padded_rows_with_a_gradient_of_the_input() -> None:
    others = {"activity_256_frozen_training": 0.1, "ragged_training": 0.1, "cont_training": 0.1}
    assert _states(fakes.whole_result(1.41, **others))["padded training, geometric mean"] == "met"


@pytest.mark.parametrize(("share", "told"), [(0.8, True), (0.7, False)])
def test_what_the_peak_would_reach_is_told_where_that_is_too_little(
    share: float, told: bool
) -> None:
    found = targets.found(GOALS[1], fakes.whole_result(1.2, share=share))
    assert (found.state, "; at the peak 1.25" in found.shown) == ("missed", told)
    assert "peak" not in targets.found(GOALS[1], fakes.whole_result(1.5, share=share)).shown


def test_nothing_is_met_by_rows_that_lack_or_are_refused() -> None:
    result = fakes.whole_result(20.0)
    result["rows"][3]["refused"] = "why"
    assert targets.found(GOALS[0], result).state == "missed"
    assert result["rows"][3]["case"] in targets.found(GOALS[0], result).shown
    del result["rows"][3]
    assert targets.found(GOALS[0], result).state == "not measured"


def test_the_table_has_a_column_for_each_part() -> None:
    parts = [fakes.whole_result(2.0), fakes.whole_result(2.0, "bfloat16", 1)]
    lines = targets.table(parts)
    assert "float32, 2 threads" in lines[0] and "bfloat16, 1 thread" in lines[0]
    assert len(lines) == 2 + len(GOALS)
    (only,) = [line for line in lines if line.startswith("| the same in bfloat16")]
    assert only.split("|")[3].strip() == "" and "met" in only.split("|")[4]
