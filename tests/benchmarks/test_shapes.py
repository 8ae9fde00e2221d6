import pytest

from benchmarks.shapes import MODES, SHAPES, Shape, cases


def test_flops_count_every_product_of_every_layer_and_direction() -> None:
    first, second = 2 * 4 * 7 * (5 + 7), 2 * 4 * 7 * (14 + 7)
    shape = Shape("s", 3, 2, 5, 7, num_layers=2, bidirectional=True)
    assert shape.flops("inference") == 3 * 2 * 2 * (first + second)
    assert shape.flops("training") == 3 * shape.flops("inference")


def test_rows_are_unique_and_ordered_by_mode() -> None:
    rows = list(cases())
    assert len({row.name for row in rows}) == len(rows)
    order = [MODES.index(row.mode) for row in rows]
    assert order == sorted(order)
    assert {row.shape for row in rows} == set(SHAPES)
    assert all((row.mode == "step") == (row.shape.steps == 1) for row in rows)


def test_filter_takes_several_parts() -> None:
    names = [row.name for row in cases(pattern="captions-training, cell")]
    assert names == ["captions-training", "cell-step", "cell-small-step"]
    assert list(cases(pattern="nothing like it")) == []


@pytest.mark.parametrize(
    "change", [{"steps": 2}, {"num_layers": 2}, {"bidirectional": True}], ids=str
)
def test_a_cell_is_one_step_of_one_layer(change: dict[str, int]) -> None:
    sizes = {"name": "c", "steps": 1, "batch": 1, "input_size": 2, "hidden_size": 3}
    with pytest.raises(ValueError, match="c: a cell has one step"):
        Shape(**{**sizes, "cell": True, **change})
