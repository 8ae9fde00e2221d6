"""Every kernel compiles for GPUs that are not here, and to the code that is meant."""

import re
from pathlib import Path

import pytest
import torch

from tests.helpers.cases import Case, Tensors, build
from tests.helpers.frames import FRAME_CASES, build_frames
from tests.helpers.maps import MapCase, saved_values
from tests.helpers.maps import build as build_maps
from tests.triton_kernels.compilation import Launch, compiled, record, resources

pytest.importorskip("triton")

from lrcn_fast import triton_kernels

PROCESSORS = {80: 108, 90: 132}
PRECISIONS = {
    "ieee": (torch.float32, 0),
    "tf32x3": (torch.float32, 3),
    "tf32": (torch.float32, 1),
    "bf16": (torch.bfloat16, 0),
    "fp16": (torch.float16, 0),
}
# One row, a few, as many as a program takes; without options, and with all of them.
ROWS = [
    Case("one_row", T=2, B=1, H=256),
    Case("few_rows", T=2, B=12, H=1000, state=False),
    Case("many_rows", T=2, B=100, H=1024, lengths=(2,) * 100, reverse=True, batch_first=True),
    Case("all", 2, 24, 512, 200, True, True, "random", (2,) * 24),
    Case("all_reverse", 2, 24, 512, 200, True, True, "random", (2,) * 24, reverse=True),
]
# Types differ little in what the other rows are about.
PAIRS = [
    (row, precision)
    for row in ROWS
    for precision in PRECISIONS
    if row.name in ("few_rows", "all") or precision in ("bf16", "tf32")
]
SHARED_MEMORY = 99 * 1024
REGISTERS = 255


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing compiled earlier is taken, and nothing is left behind."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))


def launches(
    tensors: Tensors, tf32: int, processors: int, patch: pytest.MonkeyPatch
) -> dict[str, list[Launch]]:
    """What the forward and the backward of a case launch."""

    def call() -> None:
        results = triton_kernels.lstm_forward(*tensors.forward_arguments(), True, True, tf32)
        saved = results[4], results[3]
        triton_kernels.lstm_backward(*tensors.backward_arguments(*saved), tf32)

    return record(patch, processors, call)


def check(launch: Launch, capability: int, multiplies: bool, folder: Path) -> None:
    """Compile, and look at the instructions and the resources."""
    kernel = compiled(launch, capability)
    ptx = kernel.asm["ptx"]
    assert f".target sm_{capability}" in ptx
    assert not re.search(r"^\s*(@\S+\s+)?(atom|red)\.", ptx, re.MULTILINE)
    assert bool(re.search(r"mma\.sync|wgmma\.mma_async", ptx)) == multiplies
    used = resources(kernel, folder)
    where = f"{launch.kernel.__name__} for sm_{capability}: {used}"
    assert used["STACK"] == 0 and used["LOCAL"] == 0, where
    assert used["REG"] <= REGISTERS and kernel.metadata.shared <= SHARED_MEMORY, where


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("row, precision", PAIRS, ids=str)
def test_sequence(
    row: Case, precision: str, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype, tf32 = PRECISIONS[precision]
    found = launches(build(row, dtype), tf32, PROCESSORS[capability], monkeypatch)
    expected = {"forward_step", "backward_step", "initial_step"}
    assert set(found) == expected | ({"projection_step", "hidden_step"} if row.P else set())
    multiplies = row.B > 1 and precision != "ieee"
    for kernels in found.values():
        check(kernels[0], capability, multiplies, tmp_path)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_cell(
    dtype: torch.dtype, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates, state = torch.zeros(3, 40, dtype=dtype), torch.zeros(3, 10, dtype=dtype)

    def call() -> None:
        for c0 in (state, None):
            triton_kernels.lstm_cell_forward(gates, c0)
            triton_kernels.lstm_cell_backward(c0, state, gates, state, c0)

    found = record(monkeypatch, PROCESSORS[capability], call)
    assert set(found) == {"cell_forward", "cell_backward"}
    for kernels in found.values():
        for launch in kernels:
            check(launch, capability, False, tmp_path)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_frames(
    dtype: torch.dtype, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call() -> None:
        for case in FRAME_CASES:
            if case.name in ("whole", "flow", "image_planar"):
                triton_kernels.frames_to_input(*build_frames(case, dtype))

    found = record(monkeypatch, PROCESSORS[capability], call)
    assert [len(kernels) for kernels in found.values()] == [3]
    for launch in found["convert_frames"]:
        check(launch, capability, False, tmp_path)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last], ids=str)
def test_maps(
    form: torch.memory_format,
    dtype: torch.dtype,
    capability: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def call() -> None:
        for case in (
            MapCase("caffenet", (1, 96, 11, 11)),
            MapCase("beta", (1, 32, 9, 9), beta=0.6),
        ):
            for lrn_first in (False, True):
                x, grad, options = build_maps(case, dtype, form, lrn_first)
                results = triton_kernels.relu_max_pool_lrn_forward(x, *options, True)
                values = saved_values(x, results[1], options)
                arguments = (grad, values, results[2], *x.shape[2:], *options)
                triton_kernels.relu_max_pool_lrn_backward(*arguments)

    found = record(monkeypatch, PROCESSORS[capability], call)
    assert {name: len(kernels) for name, kernels in found.items()} == dict.fromkeys(
        ("pool", "normalize", "unpool", "normalize_backward"), 4
    )
    for kernels in found.values():
        for launch in kernels:
            check(launch, capability, False, tmp_path)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_cross_entropy(
    dtype: torch.dtype, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, scale = torch.zeros(3, dtype=torch.int64), torch.tensor(1.0)

    def call() -> None:
        for gradient in (False, True):
            triton_kernels.cross_entropy(
                torch.zeros(3, 8801, dtype=dtype), targets, scale, -1, gradient
            )

    found = record(monkeypatch, PROCESSORS[capability], call)
    assert [len(kernels) for kernels in found.values()] == [2]
    for launch in found["row_losses"]:
        check(launch, capability, False, tmp_path)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_search(
    dtype: torch.dtype, rows: int, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, weight = torch.zeros(rows, 64, dtype=dtype), torch.zeros(256, 64, dtype=dtype)
    index, forbidden = torch.zeros(rows, dtype=torch.int64), torch.zeros(256, dtype=torch.bool)

    def call() -> None:
        step, gates = (state, state, index, weight), weight.new_zeros(3, 256)
        triton_kernels.lstm_step(*step, None, None, gates, index)
        triton_kernels.lstm_step(*step, state, weight, None, None, gates, index)
        triton_kernels.vocabulary_top_k(state, weight, weight[:, 0].contiguous(), 5)
        triton_kernels.vocabulary_top_k(state, weight, None, 5, forbidden)

    found = record(monkeypatch, PROCESSORS[capability], call)
    assert {name: len(kernels) for name, kernels in found.items()} == {
        "search_step": 2,
        "block_top_k": 2,
        "merge_top_k": 2,
    }
    multiplies = rows > 1 and dtype != torch.float32
    for name, kernels in found.items():
        for launch in kernels:
            check(launch, capability, multiplies and name != "merge_top_k", tmp_path)
