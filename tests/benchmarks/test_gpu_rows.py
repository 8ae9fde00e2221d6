import torch

from benchmarks.gpu.floor import BATCHES, TABLE, Floor, floor
from benchmarks.gpu.rows import PAPER, PRECISIONS, rows, settings


def test_rows_are_unique_and_the_papers_come_first() -> None:
    found = rows()
    assert len({row.name for row in found}) == len(found) == len(PRECISIONS) * len(PAPER) + 300
    groups = [row.group for row in found]
    assert groups == sorted(groups, reverse=True)
    assert found[0].precision == "bfloat16"
    shapes = {row.shape.name: row.shape for row in found}
    paper = {name: shapes[name] for name in PAPER[:3]}
    assert [(s.steps, s.batch, s.input_size, s.hidden_size) for s in paper.values()] == [
        (16, 24, 4096, 256),
        (16, 24, 4096, 1024),
        (20, 100, 1000, 1000),
    ]
    grid = [row for row in found if row.group == "grid"]
    assert {row.shape.hidden_size for row in grid} == {256, 512, 1000, 1024}
    assert {row.shape.batch for row in grid} == {1, 8, 24, 64, 100}
    assert {row.shape.steps for row in grid} == {16, 128, 1024}
    early = grid[:60]
    assert len({row.precision for row in early}) == 5 and len({row.steps for row in early}) == 3


def test_settings_of_a_precision_end_with_the_block() -> None:
    def now() -> tuple[bool, str]:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()

    before = now()
    for precision, expected in {
        "float32": before,
        "bfloat16": before,
        "float32-highest": (False, "highest"),
        "float32-tf32": (True, "medium"),
        "float32-tf32x3": (True, "high"),
    }.items():
        with settings(precision):
            assert now() == expected
        assert now() == before


def test_the_floor_is_the_tables() -> None:
    assert floor("bfloat16", 256, 1) == Floor(0.45, 0.57)
    assert floor("float16", 1000, 24) == Floor(1.4, 1.5)
    assert floor("float32", 512, 100) == Floor(1.6, 2.1)
    assert floor("float32-highest", 1024, 256) == Floor(9, 10)
    assert all(len(row) == len(BATCHES) for row in TABLE.values())
    for row in TABLE.values():
        forwards = [entry.forward for entry in row]
        assert forwards == sorted(forwards)
        assert all(entry.backward >= entry.forward for entry in row)


def test_between_the_tables_batches_the_next_larger_one_counts() -> None:
    assert floor("bfloat16", 1024, 8) == floor("bfloat16", 1024, 24)
    assert floor("bfloat16", 1024, 65) == floor("bfloat16", 1024, 100)
    assert floor("bfloat16", 1024, 257) is None
    assert floor("bfloat16", 300, 1) is None
    assert floor("float32", 2048, 1) is None
    assert floor("float64", 256, 1) is None
    assert all(floor(row.precision, row.shape.hidden_size, row.shape.batch) for row in rows())
