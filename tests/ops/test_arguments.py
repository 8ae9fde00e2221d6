"""Any arguments: the result is the reference's, or an error says which argument is wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from tests.helpers.cases import CASES, Tensors, build
from tests.helpers.damage import (
    assert_same_outcome,
    damaged,
    names_an_argument,
    outcome,
    tensors,
)
from tests.helpers.frames import FRAME_CASES, build_frames
from tests.helpers.maps import MapCase, saved_values
from tests.helpers.maps import build as build_maps
from tests.helpers.scans import backward_arguments, forward_arguments

OPS = torch.ops.lrcn_fast
CASE = next(case for case in CASES if case.name == "all_reverse")


def floats(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def scans() -> list[Tensors]:
    return [build(CASE, torch.float64, seed) for seed in (0, 1)]


def forward() -> tuple[Any, ...]:
    return (*build(CASE, torch.float64).forward_arguments(), True, True, 0)


def backward() -> tuple[Any, ...]:
    tensors = build(CASE, torch.float64)
    kept = OPS.lstm_forward_reference(*tensors.forward_arguments(), True, True)
    return (*tensors.backward_arguments(kept[4], kept[3]), 0)


def scans_backward() -> tuple[Any, ...]:
    kept = [OPS.lstm_forward_reference(*x.forward_arguments(), True, True) for x in scans()]
    return (*backward_arguments(scans(), [(k[4], k[3]) for k in kept]), 0)


def cell_backward() -> tuple[Any, ...]:
    c0 = floats(3, 5)
    _, c, activations = OPS.lstm_cell_forward_reference(floats(3, 20), c0)
    return (floats(3, 5), floats(3, 5), activations, c, c0)


def step() -> tuple[Any, ...]:
    rows = torch.tensor([1, -1, 0])
    words, images = torch.tensor([6, 0, 3]), torch.tensor([1, 0, 1])
    weights = floats(20, 5), floats(3, 4), floats(20, 4), floats(7, 20)
    return (floats(2, 5), floats(2, 5), rows, *weights, words, floats(2, 20), images)


def top_k() -> tuple[Any, ...]:
    return (floats(3, 4), floats(9, 4), floats(9), 3, torch.arange(9) % 4 == 2)


def frames() -> tuple[Any, ...]:
    case = next(case for case in FRAME_CASES if case.name == "image")
    return tuple(build_frames(case, torch.float64))


def maps_backward() -> tuple[Any, ...]:
    x, grad, options = build_maps(
        MapCase("any", (2, 5, 7, 8)), torch.float64, torch.contiguous_format
    )
    _, pooled, index = OPS.relu_max_pool_lrn_forward_reference(x, *options, True)
    return (grad, saved_values(x, pooled, options), index, 7, 8, *options)


CALLS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "lstm_forward": forward,
    "lstm_backward": backward,
    "lstm_scans_forward": lambda: (*forward_arguments(scans()), True, True, 0),
    "lstm_scans_backward": scans_backward,
    "lstm_cell_forward": lambda: (floats(3, 20), floats(3, 5)),
    "lstm_cell_backward": cell_backward,
    "lstm_step": step,
    "vocabulary_top_k": top_k,
    "frames_to_input": frames,
    "relu_max_pool_lrn_backward": maps_backward,
}


def check(name: str, arguments: dict[str, Any]) -> None:
    ours = outcome(getattr(OPS, name), *arguments.values())
    if names_an_argument(ours, [*arguments, "device", "memory"]):
        return
    theirs = outcome(getattr(OPS, f"{name}_reference"), *arguments.values())
    weights = tensors([value for key, value in arguments.items() if "weight" in key])
    # Across a reset the backward's kernels multiply them by zero, the reference leaves them out.
    comparable = "backward" not in name or all(x.is_meta or x.isfinite().all() for x in weights)
    assert_same_outcome(ours, theirs, comparable)


@pytest.mark.parametrize("name", CALLS)
def test_good_arguments(name: str) -> None:
    assert tensors(getattr(OPS, name)(*CALLS[name]()))


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=150)
@given(data=st.data())
def test_any_arguments(name: str, data: st.DataObject) -> None:
    torch.manual_seed(0)
    schema = getattr(OPS, name).default._schema
    good = dict(zip([x.name for x in schema.arguments], CALLS[name](), strict=True))
    check(name, data.draw(damaged(good)))
