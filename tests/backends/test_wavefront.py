"""When layers run as a wavefront: the planner's decision, and what it says of it."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcn_fast import backends
from lrcn_fast.backends import GPUS, LstmSpec, Wavefront, use_persistent, wavefront
from tests.backends.test_plan import DTYPES, gpus

SHORTEST = 8


@given(
    gpus | st.sampled_from(sorted(GPUS)),
    st.sampled_from(DTYPES),
    st.integers(1, 2**31 - 1) | st.integers(1, 1100),
    st.integers(1, 9),
    st.integers(0, 2**31 - 1) | st.integers(0, 300),
    st.integers(0, 2**31 - 1) | st.integers(0, 2000),
    st.booleans(),
    st.sampled_from(["highest", "medium"]),
)
def test_windows_fit_any_call(
    gpu: Any,
    dtype: torch.dtype,
    hidden: int,
    layers: int,
    batch: int,
    steps: int,
    training: bool,
    precision: str,
) -> None:
    found = wavefront(
        gpu,
        dtype,
        hidden,
        layers=layers,
        batch=batch,
        steps=steps,
        training=training,
        precision=precision,
    )
    assert found.reason
    if found.window == 0:
        assert found.us == found.one_by_one_us >= 0
        return
    assert layers > 1 and SHORTEST <= found.window <= (steps + 1) // 2
    assert 0 < found.us < found.one_by_one_us


def on(gpu: str = "H100", hidden_size: int = 256, **options: Any) -> Wavefront:
    given = {"dtype": torch.bfloat16, "layers": 2, "batch": 8, "steps": 1024, "precision": "medium"}
    return wavefront(**(given | {"gpu": gpu, "hidden_size": hidden_size} | options))


@pytest.mark.parametrize("gpu", ["A100", "H100", "RTX 4090"])
def test_long_sequences_of_layers_that_fit_side_by_side(gpu: str) -> None:
    for training in (False, True):
        two, four = (on(gpu, layers=layers, training=training) for layers in (2, 4))
        assert two.window and four.window
        assert four.us / four.one_by_one_us < two.us / two.one_by_one_us < 1
        assert f"windows of {two.window} steps" in str(two)


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"layers": 1}, "1 layers of 1024 steps have no two windows"),
        ({"steps": 15}, "2 layers of 15 steps have no two windows of 8 steps"),
        ({"steps": 16}, "2 windows of 8 steps take .*: too little is gained"),
        ({"hidden_size": 2048}, "no two layers run at the same time: .*1 of 2 scans in a launch"),
        ({"dtype": torch.float64}, "no two layers run at the same time: float64"),
        ({"proj_size": 9}, "no two layers run at the same time: with a projection"),
    ],
    ids=str,
)
def test_one_by_one_and_why(options: dict[str, Any], reason: str) -> None:
    found = on(**options)
    assert found.window == 0 and str(found).startswith("one by one: ")
    assert re.search(reason, found.reason), found.reason


def test_without_kernels_that_stay_on_chip() -> None:
    with use_persistent("0"):
        found = on()
    assert found.window == 0
    assert "switched off" in found.reason


def test_errors() -> None:
    with pytest.raises(ValueError, match="layers: expected at least 1, got 0"):
        on(layers=0)
    with pytest.raises(ValueError, match="gpu: expected one of"):
        on("H101")
    with pytest.raises(ValueError, match="directions must be 1 or 2, got 3"):
        backends.explain(LstmSpec("cuda", torch.bfloat16, 256), gpu="H100", directions=3)


def test_explain() -> None:
    spec = LstmSpec("cuda", torch.bfloat16, 256)
    text = backends.explain(spec, batch=8, steps=1024, gpu="H100", layers=2)
    for name, training in (("inference", False), ("training", True)):
        assert f"  {name:<10} 2 layers {on(training=training)}" in text
    both = backends.explain(spec, batch=8, steps=1024, gpu="H100", layers=2, directions=2)
    assert "inference" not in both
    assert both.count("2 of 2 scans in a launch") == 2
