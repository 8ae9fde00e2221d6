"""The shared memory that launches ask for: as recorded, and no more than the GPUs have."""

import pytest

from build_tools.settings import DEFAULT_CUDA_ARCHS
from tests.cuda import budget, shared_memory
from tests.cuda.shared_memory import KIB, Sizes


def test_launches_keep_to_the_table_and_fit() -> None:
    table = shared_memory.read(shared_memory.TABLE.read_text())
    told = shared_memory.complaints(shared_memory.found(), table, DEFAULT_CUDA_ARCHS)
    assert not told, "\n".join(["", *told])


def test_every_compiled_kernel_is_in_the_table() -> None:
    """But those that use none."""
    none = ("gpu: ", "lstm_cell: ", "frames_to_input: ", "vocabulary_top_k: cuda::merge_top_k<")
    compiled = {
        shared_memory.name_of(kernel)
        for kernel in budget.read(budget.TABLE.read_text())
        if not kernel.startswith(none)
    }
    assert compiled == set(shared_memory.read(shared_memory.TABLE.read_text()))


def test_architectures() -> None:
    kib = {arch: shared_memory.most(arch) // KIB for arch in (*DEFAULT_CUDA_ARCHS, "sm_120")}
    assert kib == {
        "sm_80": 163,
        "sm_86": 99,
        "sm_89": 99,
        "sm_90a": 227,
        "sm_100": 227,
        "sm_120": 99,
    }


STEP, GRID = "lstm_forward_step<P, 1, true>", "lstm_grid_forward<P, 2, 1, 1>"


@pytest.mark.parametrize(
    "sizes, table, words",
    [
        ({STEP: (99 * KIB, 0)}, {STEP: (99 * KIB, 0)}, []),
        ({STEP: (100 * KIB, 0)}, {STEP: (100 * KIB, 0)}, ["sm_86 has 101376", "sm_89 has"]),
        ({GRID: (227 * KIB, 8)}, {GRID: (227 * KIB, 8)}, []),
        ({GRID: (228 * KIB, 8)}, {GRID: (228 * KIB, 8)}, ["more than any GPU has"]),
        ({GRID: (64, 8)}, {GRID: (64, 4)}, ["asks for (64, 8), shared_memory.txt says (64, 4)"]),
        ({STEP: (64, 0)}, {GRID: (64, 8)}, ["no kernel for the row", "has no row"]),
    ],
)
def test_complaints(sizes: Sizes, table: Sizes, words: list[str]) -> None:
    told = shared_memory.complaints(sizes, table, DEFAULT_CUDA_ARCHS)
    assert len(told) == len(words)
    assert all(word in line for word, line in zip(words, told))
    assert shared_memory.read(shared_memory.write(sizes)) == sizes
