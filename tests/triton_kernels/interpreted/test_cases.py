"""Every case row, forward and backward, in every dtype, against the loop."""

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Case, build
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
OUTPUTS = ("output", "h_n", "c_n", "cells", "activations")
GRADIENTS = ("grad_gates", "grad_h0", "grad_c0", "grad_hidden")
# More rows than one program has, and more units.
LARGE = [
    Case("many_rows", T=2, B=70, H=5, cont="random"),
    Case("many_units", T=2, B=3, H=40, lengths=(2, 0, 1)),
    Case("one_row_projected", T=3, B=1, H=40, P=20, reverse=True),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES + LARGE, ids=str)
def test_case(case: Case, dtype: torch.dtype) -> None:
    """In poisoned memory and between sentinels; the backward from the loop's saved tensors."""
    tensors = build(case, dtype)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    exact = tensors.map(Tensor.double)
    truth = reference.lstm_forward(*exact.forward_arguments(), True, True)
    guards = Guards()
    guarded = tensors.map(guards.surround)
    with poisoned_memory():
        actual = OPS.lstm_forward_triton(*guarded.forward_arguments(), True, True)
        grads = OPS.lstm_backward_triton(*guarded.backward_arguments(saved[4], saved[3]))
    guards.check()
    for name, *three in zip(OUTPUTS, actual, saved, truth, strict=True):
        assert_no_worse_than_torch(*three, name)
    loop = reference.lstm_backward(*tensors.backward_arguments(saved[4], saved[3]))
    doubles = (saved[4].double(), saved[3].double())
    truth = reference.lstm_backward(*exact.backward_arguments(*doubles))
    for name, *three in zip(GRADIENTS, grads, loop, truth, strict=True):
        assert_no_worse_than_torch(*three, name)
    addresses = [t.data_ptr() for t in (*actual, *grads) if t.numel()]
    assert len(set(addresses)) == len(addresses)
    assert all(t.is_contiguous() for t in (*actual, *grads))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["all", "all_reverse", "plain"])
def test_the_same_bits_every_time(name: str, dtype: torch.dtype) -> None:
    tensors = build(next(row for row in CASES if row.name == name), dtype)
    runs = []
    for _ in range(2):
        results = OPS.lstm_forward_triton(*tensors.forward_arguments(), True, True)
        arguments = tensors.backward_arguments(results[4], results[3])
        runs.append([*results, *OPS.lstm_backward_triton(*arguments)])
    for number, (first, second) in enumerate(zip(*runs, strict=True)):
        assert_bitwise_equal(first, second, f"result {number}")


def test_what_is_saved_changes_nothing_else() -> None:
    tensors = build(next(row for row in CASES if row.name == "all"), torch.bfloat16)
    everything = OPS.lstm_forward_triton(*tensors.forward_arguments(), True, True)
    for kept in [(False, False), (True, False), (False, True)]:
        actual = OPS.lstm_forward_triton(*tensors.forward_arguments(), *kept)
        for number, (ours, full) in enumerate(zip(actual, everything, strict=True)):
            if number < 3 or kept[number - 3]:
                assert_bitwise_equal(ours, full, OUTPUTS[number])
            else:
                assert ours.shape == (0,)
