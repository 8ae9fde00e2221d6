import pytest

from benchmarks.shapes import FROZEN, MODES, SHAPES, Case, Sequences, Shape, cases


def test_flops_count_every_product_of_every_layer_and_direction() -> None:
    first, second = 2 * 4 * 7 * (5 + 7), 2 * 4 * 7 * (14 + 7)
    shape = Shape("s", 3, 2, 5, 7, num_layers=2, bidirectional=True)
    assert shape.flops("inference") == 3 * 2 * 2 * (first + second)
    assert shape.flops("training") == 3 * shape.flops("inference")


def test_frozen_features_save_the_gradient_of_the_first_input() -> None:
    shape = Shape("s", 3, 2, 5, 7, num_layers=2, bidirectional=True)
    saved = 3 * 2 * 2 * 2 * 4 * 7 * 5
    frozen = Case(shape, "training", frozen=True)
    assert shape.flops("training") - frozen.flops == saved
    assert not frozen.input_grad and Case(shape, "training").input_grad
    assert not Case(shape, "inference").input_grad


@pytest.mark.parametrize("sequences", ["padded", "lengths", "packed", "cont"])
def test_pieces_cover_the_steps_that_count(sequences: Sequences) -> None:
    shape = Shape("s", 90, 6, 5, 7, sequences=sequences)
    pieces = shape.pieces()
    assert pieces == shape.pieces()
    ends = {row: [end for r, _, end in pieces if r == row] for row in range(shape.batch)}
    for row, start, end in pieces:
        assert 0 <= start < end <= shape.steps
        assert start == 0 or start in ends[row]
    several = {len(of_row) > 1 for of_row in ends.values()}
    shorter = any(max(of_row) < shape.steps for of_row in ends.values())
    assert several == ({True} if sequences == "cont" else {False})
    assert shorter == (sequences in ("lengths", "packed"))
    steps = sum(end - start for _, start, end in pieces)
    assert shape.flops("inference") == steps * 2 * 4 * 7 * (5 + 7)


def test_rows_are_unique_and_ordered_by_mode() -> None:
    rows = list(cases())
    assert len({row.name for row in rows}) == len(rows)
    order = [MODES.index(row.mode) for row in rows]
    assert order == sorted(order)
    assert {row.shape for row in rows} == set(SHAPES)
    assert {row.shape.name for row in rows if row.frozen} == set(FROZEN)
    assert all((row.mode == "step") == (row.shape.steps == 1) for row in rows)


def test_filter_takes_several_parts() -> None:
    names = [row.name for row in cases(pattern="captions-training, cell")]
    assert names == ["captions-training", "cell-step", "cell-b5-step", "cell-small-step"]
    assert list(cases(pattern="nothing like it")) == []


@pytest.mark.parametrize(
    "change", [{"steps": 2}, {"num_layers": 2}, {"bidirectional": True}], ids=str
)
def test_a_cell_is_one_step_of_one_layer(change: dict[str, int]) -> None:
    sizes = {"name": "c", "steps": 1, "batch": 1, "input_size": 2, "hidden_size": 3}
    with pytest.raises(ValueError, match="c: a cell has one step"):
        Shape(**{**sizes, "cell": True, **change})
