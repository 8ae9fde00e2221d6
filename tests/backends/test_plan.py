"""The planner: plans that fit the GPU, and the choices it is made for."""

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gpu.floor import BATCHES, TABLE
from lrcn_fast.backends import GPUS, Gpu, Plan, plan, use_persistent

HIDDEN = (8, 15, 64, 200, 256, 257, 500, 512, 513, 777, 1000, 1024, 1025, 2048, 2100)
ROWS = (1, 5, 8, 24, 64, 100, 256, 1000)
DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)


def clusters_of(gpu: Gpu, blocks: int) -> int:
    clusters: int = getattr(gpu, f"clusters_of_{blocks}")
    return clusters


def check(gpu: Gpu, hidden: int, batch: int, found: Plan, scans: int = 1) -> None:
    """What a launcher relies on."""
    assert found.reason and found.step_us >= found.floor_us > 0
    assert 1 <= found.scans <= scans
    if found.kernel == "step":
        counts = (found.blocks, found.units, found.rows, found.slices)
        assert (found.variant, found.scans, found.cluster, *counts) == (-1, 1, 1, 0, 0, 0, 0)
        assert found.register_bytes == found.shared_bytes == 0 and not found.choices
        return
    assert found.choices[0] == (found.kernel, found.variant, found.scans)
    assert len(set(found.choices)) == len(found.choices)
    assert {together for _, _, together in found.choices} <= set(range(1, scans + 1))
    assert found.variant >= 0
    assert 0 < found.shared_bytes <= gpu.shared_bytes_per_block
    assert 0 < found.register_bytes <= 4 * gpu.registers_per_multiprocessor
    assert (found.slices - 1) * found.rows < batch <= found.slices * found.rows
    if found.kernel == "cluster":
        assert gpu.capability >= (9, 0)
        assert 1 < found.cluster <= 16 and clusters_of(gpu, found.cluster) > 0
        assert found.blocks == found.scans * found.cluster * found.slices
        assert found.cluster * found.units >= hidden
    else:
        assert found.kernel == "grid" and found.cluster in (1, 2, 4)
        clusters, rest = divmod(found.blocks, found.scans * found.cluster)
        units = found.cluster * found.units
        assert rest == 0 and (clusters - 1) * units < hidden <= clusters * units
        resident = -(-found.blocks // gpu.multiprocessors)
        if found.cluster > 1:
            assert gpu.capability >= (9, 0) and resident == 1
            assert found.blocks <= found.cluster * clusters_of(gpu, found.cluster)
        assert resident <= 2
        used = resident * (found.shared_bytes + 1024)
        assert used <= gpu.shared_bytes_per_multiprocessor


@pytest.mark.parametrize("name", GPUS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_plans_fit(name: str, dtype: torch.dtype) -> None:
    for hidden, batch, backward in itertools.product(HIDDEN, ROWS, (False, True)):
        found = plan(
            name,
            dtype,
            hidden,
            batch=batch,
            steps=128,
            backward=backward,
            precision="medium",
        )
        check(GPUS[name], hidden, batch, found)


@st.composite
def _gpus(draw: st.DrawFn) -> Gpu:
    multiprocessors = draw(st.integers(1, 160))
    return Gpu(
        draw(st.sampled_from([(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)])),
        multiprocessors,
        draw(st.integers(0, 227 * 1024)),
        draw(st.integers(0, 228 * 1024)),
        65536,
        *(draw(st.integers(0, multiprocessors // blocks)) for blocks in (2, 4, 8, 16)),
        draw(st.integers(500, 3000)),
    )


gpus = _gpus()


@given(
    gpus,
    st.sampled_from(DTYPES),
    st.integers(1, 2**31 - 1) | st.integers(1, 2100),
    st.integers(1, 2**31 - 1) | st.integers(1, 300),
    st.integers(0, 2**31 - 1) | st.integers(0, 100),
    st.booleans(),
    st.sampled_from(["highest", "high", "medium"]),
    st.integers(1, 4),
)
def test_plans_fit_any_gpu(
    gpu: Gpu,
    dtype: torch.dtype,
    hidden: int,
    batch: int,
    steps: int,
    backward: bool,
    precision: str,
    scans: int,
) -> None:
    found = plan(
        gpu,
        dtype,
        hidden,
        batch=batch,
        steps=steps,
        backward=backward,
        precision=precision,
        scans=scans,
    )
    check(gpu, hidden, batch, found, scans)


@pytest.mark.parametrize("empty", [{"batch": 0}, {"hidden_size": 0}, {"steps": 0}], ids=str)
def test_nothing_to_do_is_a_plan_too(empty: dict[str, int]) -> None:
    sizes = {"hidden_size": 256, "batch": 8, "steps": 16} | empty
    found = plan("H100", torch.bfloat16, **sizes)
    assert found.kernel == "step" and found.floor_us > 0


def kernel(gpu: str, hidden: int, dtype: torch.dtype = torch.bfloat16, **options: Any) -> str:
    options = {"batch": 24, "steps": 128, "precision": "medium"} | options
    return plan(gpu, dtype, hidden, **options).kernel


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_choices_on_an_h100(dtype: torch.dtype, backward: bool) -> None:
    found = {
        hidden: kernel("H100", hidden, dtype, backward=backward)
        for hidden in (256, 500, 512, 1000, 1001, 1024, 1025, 2048, 2049)
    }
    assert found == {
        **dict.fromkeys((256, 500, 512), "cluster"),
        **dict.fromkeys((1000, 1001, 1024, 1025, 2048), "grid"),
        2049: "step",
    }


@pytest.mark.parametrize("batch", ROWS[:5])
@pytest.mark.parametrize("backward", [False, True])
def test_tf32_in_a_cluster(batch: int, backward: bool) -> None:
    assert kernel("H100", 256, torch.float32, batch=batch, backward=backward) == "cluster"


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"dtype": torch.float32, "precision": "highest"}, "TF32"),
        ({"dtype": torch.float64}, "float64"),
        ({"proj_size": 64}, "projection"),
        ({"steps": 1}, "single step"),
        ({"steps": 2}, "for each of 2 steps"),
        ({"hidden_size": 2049}, "H=2049 finds no place.*room for H=512.*room for H=2048"),
        ({"gpu": Gpu((7, 5), 72, 65536, 65536, 65536, 0, 0, 0, 0, 1500)}, "8.0"),
        ({"gpu": "A100", "hidden_size": 2048}, "before capability 9.0.*128 blocks.* 108 run"),
        ({"gpu": "L4", "hidden_size": 1024}, "64 blocks.* 58 run"),
        (
            {"gpu": Gpu((9, 0), 132, 16384, 233472, 65536, 66, 32, 16, 8, 1755)},
            "shared memory a block, of 16384",
        ),
        (
            {"gpu": Gpu((9, 0), 16, 232448, 233472, 65536, 8, 4, 2, 0, 1755), "hidden_size": 257},
            "no cluster of 16 blocks",
        ),
    ],
    ids=str,
)
def test_falls_back_and_says_why(options: dict[str, Any], reason: str) -> None:
    sizes: dict[str, Any] = {"dtype": torch.bfloat16, "hidden_size": 256, "batch": 24, "steps": 128}
    found = plan(**({"gpu": "H100", "precision": "medium"} | sizes | options))
    assert found.kernel == "step"
    assert re.search(reason, found.reason), found.reason


def test_clusters_need_hopper() -> None:
    for name, hidden in itertools.product(("A100", "L4", "RTX 4090"), HIDDEN):
        assert kernel(name, hidden) != "cluster"
    assert kernel("A100", 512) == "grid"


def test_many_clusters_take_turns() -> None:
    few, many = (plan("H100", torch.bfloat16, 512, batch=batch, steps=128) for batch in (256, 512))
    assert few.kernel == many.kernel == "cluster"
    assert many.step_us > 1.5 * few.step_us


def test_a_grid_goes_through_its_slices() -> None:
    found = plan("H100", torch.bfloat16, 1024, batch=64, steps=128)
    assert (found.kernel, found.blocks) == ("grid", 128)
    assert found.slices > 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_blocks_share_out_the_depth_where_gate_gradients_are_many(dtype: torch.dtype) -> None:
    options: dict[str, Any] = {"steps": 128, "backward": True, "precision": "medium"}
    for batch in (24, 64):
        found = plan("H100", dtype, 1024, batch=batch, **options)
        assert (found.kernel, found.cluster) == ("grid", 2)
        assert "clusters of 2" in found.reason and "clusters of 2" in str(found)
        alone = replace(GPUS["H100"], clusters_of_2=0, clusters_of_4=0)
        assert plan(alone, dtype, 1024, batch=batch, **options).step_us > found.step_us
    assert plan("H100", dtype, 256, batch=24, **options).kernel == "cluster"


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("scans", [2, 3, 4])
def test_scans_together_take_little_longer_than_one(scans: int, backward: bool) -> None:
    """Where clusters are left: otherwise nothing is gained, and nothing lost."""
    options: dict[str, Any] = {"steps": 128, "backward": backward}
    for hidden, batch in ((256, 8), (256, 256), (1000, 8)):
        one = plan("H100", torch.bfloat16, hidden, batch=batch, **options)
        found = plan("H100", torch.bfloat16, hidden, batch=batch, scans=scans, **options)
        check(GPUS["H100"], hidden, batch, found, scans)
        assert one.step_us <= found.step_us <= 1.0001 * scans * one.step_us
        assert one.floor_us <= found.floor_us <= 1.0001 * scans * one.floor_us
    few = plan("H100", torch.bfloat16, 256, batch=8, scans=scans, **options)
    assert few.scans == scans and f"{scans} of {scans} scans in a launch" in few.reason
    assert few.step_us < 1.3 * plan("H100", torch.bfloat16, 256, batch=8, **options).step_us


def test_choices_that_a_smaller_gpu_would_have() -> None:
    """What the launcher tries next is what the planner takes where the first does not fit."""
    options: dict[str, Any] = {"batch": 8, "steps": 128, "scans": 2}
    found = plan("H100", torch.bfloat16, 256, **options)
    alone = plan(replace(GPUS["H100"], clusters_of_16=0), torch.bfloat16, 256, **options)
    assert found.cluster == 16 and alone.kernel == "grid"
    assert alone.choices[0] in found.choices[1:]
    assert found.choices[0] not in alone.choices
    with use_persistent("1"):
        insisting = plan("H100", torch.bfloat16, 256, **options)
    assert insisting.choices[: len(found.choices)] == found.choices


def test_scans_that_find_no_room_together_take_turns() -> None:
    found = plan("H100", torch.bfloat16, 2048, batch=8, steps=128, scans=2)
    assert (found.kernel, found.scans) == ("grid", 1)
    assert "1 of 2 scans in a launch" in found.reason


@pytest.mark.parametrize("format, hidden", TABLE)
def test_floor_follows_the_table(format: str, hidden: int) -> None:
    dtype = torch.bfloat16 if format == "bf16" else torch.float32
    for batch, listed in zip(BATCHES, TABLE[format, hidden], strict=True):
        for backward, expected in ((False, listed.forward), (True, listed.backward)):
            options: dict[str, Any] = {"batch": batch, "steps": 128, "backward": backward}
            found = plan("H100", dtype, hidden, precision="medium", **options)
            assert found.floor_us == pytest.approx(expected, rel=0.15)
