"""Poisoned fresh memory, sentinels around inputs, and every stride a caller can bring."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Case, Tensors, build
from tests.helpers.poison import Guards, poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def run(tensors: Tensors) -> list[Tensor]:
    """Forward and backward of the native operators."""
    forward = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    return [*forward, *OPS.lstm_backward(*tensors.backward_arguments(forward[4], forward[3]))]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fresh_memory_is_written_and_inputs_are_not(
    case: Case, dtype: torch.dtype, isa: str
) -> None:
    tensors = build(case, dtype)
    expected = run(tensors)
    assert all(t.isfinite().all() for t in expected)
    guards = Guards()
    guarded = tensors.map(guards.surround)
    with poisoned_memory():
        actual = run(guarded)
    guards.check()
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


def padded_rows(tensor: Tensor) -> Tensor:
    """Unit last stride, every other stride larger than needed, NaN in the gaps."""
    shape = [size + 1 for size in tensor.shape]
    buffer = torch.full(shape, float("nan"), dtype=tensor.dtype)
    view = buffer[tuple(slice(0, size) for size in tensor.shape)]
    return view.copy_(tensor)


def spread_columns(tensor: Tensor) -> Tensor:
    """Last stride 2, NaN in the gaps."""
    shape = (*tensor.shape[:-1], 2 * tensor.shape[-1])
    view = torch.full(shape, float("nan"), dtype=tensor.dtype)[..., ::2]
    return view.copy_(tensor)


def swapped_axes(tensor: Tensor) -> Tensor:
    """First two axes stored in the other order."""
    return tensor.transpose(0, 1).contiguous().transpose(0, 1) if tensor.dim() > 1 else tensor


def off_alignment(tensor: Tensor) -> Tensor:
    """Contiguous, but one element off any vector boundary."""
    view = torch.empty(tensor.numel() + 1, dtype=tensor.dtype)[1:].view(tensor.shape)
    return view.copy_(tensor)


@pytest.mark.parametrize("layout", [padded_rows, spread_columns, swapped_axes, off_alignment])
@pytest.mark.parametrize("name", ["all", "all_reverse", "plain", "batch_first", "one_unit"])
def test_strides_change_nothing(name: str, layout: Callable[[Tensor], Tensor], isa: str) -> None:
    tensors = build(next(row for row in CASES if row.name == name), torch.float32)
    strided = tensors.map(layout)
    if layout is spread_columns:
        strided.gates = tensors.gates
    if strided.cont is not None:
        strided.cont = swapped_axes(strided.cont)
    if strided.lengths is not None:
        strided.lengths = strided.lengths.repeat_interleave(2)[::2]
    for number, (ours, theirs) in enumerate(zip(run(strided), run(tensors), strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


def test_gates_with_any_last_stride() -> None:
    tensors = build(CASES[0], torch.float32)
    expected = OPS.lstm_forward(*tensors.forward_arguments(), False, False)
    tensors.gates = spread_columns(tensors.gates)
    actual = OPS.lstm_forward(*tensors.forward_arguments(), False, False)
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


@pytest.mark.parametrize("name", ["all", "all_reverse", "plain", "batch_first"])
def test_expanded_gradients(name: str, isa: str) -> None:
    """What sum().backward() and mean over an axis send: strides of zero."""
    tensors = build(next(row for row in CASES if row.name == name), torch.float32)
    saved = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    for gradient in ("grad_output", "grad_h_n", "grad_c_n", "grad_cells"):
        value = getattr(tensors, gradient)
        setattr(tensors, gradient, torch.tensor(0.5).expand(value.shape))
    actual = OPS.lstm_backward(*tensors.backward_arguments(saved[4], saved[3]))
    dense = tensors.map(Tensor.contiguous)
    expected = OPS.lstm_backward(*dense.backward_arguments(saved[4], saved[3]))
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


def test_expanded_gates() -> None:
    """The same pre-activations at every step and stream."""
    tensors = build(CASES[0], torch.float32)
    tensors.gates = tensors.gates[:1, :1].expand(tensors.gates.shape)
    actual = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    tensors.gates = tensors.gates.contiguous()
    expected = OPS.lstm_forward(*tensors.forward_arguments(), True, True)
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


def test_poison_is_seen() -> None:
    """The poison itself works: an output nobody writes is NaN, also when allocated in C++."""
    with poisoned_memory():
        assert torch.empty(7, 3).isnan().all()
        assert torch.empty_strided((4, 2), (1, 4), dtype=torch.float64).isnan().all()
        assert torch.ones(5, dtype=torch.float16).new_empty(9).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_guards_see_a_write() -> None:
    guards = Guards()
    inner = guards.surround(torch.ones(3))
    guards.check()
    torch.as_strided(inner, (1,), (1,), inner.storage_offset() + 3).fill_(1.0)
    with pytest.raises(AssertionError, match="was written to"):
        guards.check()


def test_reference_operators_do_the_same() -> None:
    """The `_reference` operators are the loop, under the dispatcher."""
    for case in CASES:
        tensors = build(case, torch.float64)
        actual = OPS.lstm_forward_reference(*tensors.forward_arguments(), True, True)
        expected = reference.lstm_forward(*tensors.forward_arguments(), True, True)
        for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
            assert_bitwise_equal(ours, theirs, f"{case}, result {number}")


def test_results_of_many_pages_are_those_of_their_rows() -> None:
    steps, batch, hidden = 64, 32, 160
    gates = torch.randn(steps, batch, 4 * hidden)
    assert gates.nbytes > 2 * 2**21
    weight_hh = torch.randn(4 * hidden, hidden) / hidden**0.5

    def forward(gates: Tensor) -> tuple[Tensor, ...]:
        options = (False, False, True, True)
        return tuple(OPS.lstm_forward(gates, weight_hh, *[None] * 6, *options))

    output, _, _, cells, activations = forward(gates)
    for row in (0, 13, batch - 1):
        alone = forward(gates[:, row : row + 1])
        for ours, theirs in zip((output, cells, activations), (alone[0], *alone[3:]), strict=True):
            assert_bitwise_equal(ours[:, row : row + 1], theirs, f"row {row}")
