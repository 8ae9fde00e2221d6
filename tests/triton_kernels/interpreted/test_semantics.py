"""cont, lengths, NaN, strides and missing gradients, at the operators."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Tensors, build
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch
from tests.ops.test_lstm_backward import OUTPUTS, gradients
from tests.ops.test_lstm_memory import off_alignment, padded_rows, spread_columns, swapped_axes

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def row(name: str, dtype: torch.dtype = torch.float32) -> Tensors:
    return build(next(case for case in CASES if case.name == name), dtype)


def run(tensors: Tensors) -> list[Tensor]:
    """Every result of the forward and of the backward."""
    results = OPS.lstm_forward_triton(*tensors.forward_arguments(), True, True)
    arguments = tensors.backward_arguments(results[4], results[3])
    return [*results, *OPS.lstm_backward_triton(*arguments)]


def assert_same(actual: list[Tensor], expected: list[Tensor]) -> None:
    for number, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert_bitwise_equal(ours, theirs, f"result {number}")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "name",
    ["plain", "all", "all_reverse", "cont_reverse", "lengths_reverse", "projection", "static"],
)
def test_autograd_of_all_outputs(name: str, dtype: torch.dtype) -> None:
    """End to end: every input, weight and state receives the gradient of the loop."""
    tensors = row(name, dtype)
    actual = gradients(OPS.lstm_forward_triton, tensors, OUTPUTS)
    loop = gradients(reference.lstm_forward, tensors, OUTPUTS)
    exact = gradients(reference.lstm_forward, tensors.map(Tensor.double), OUTPUTS)
    for key, ours in actual.items():
        assert_no_worse_than_torch(ours, loop[key], exact[key], key)


@pytest.mark.parametrize("present", [0, 1, 2, 4, 8, 11])
def test_missing_gradients_are_zeros(present: int) -> None:
    tensors = row("all_reverse")
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    arguments = tensors.backward_arguments(saved[4], saved[3])
    given = [g if present >> k & 1 else None for k, g in enumerate(arguments[:4])]
    zeros = [g if present >> k & 1 else torch.zeros_like(g) for k, g in enumerate(arguments[:4])]
    actual = OPS.lstm_backward_triton(*given, *arguments[4:])
    assert_same(actual, OPS.lstm_backward_triton(*zeros, *arguments[4:]))


def test_garbage_past_the_length_reaches_nothing() -> None:
    tensors = row("all")
    clean = run(tensors)
    for number, length in enumerate((8, 2, 0, 5, 1)):
        for name in ("gates", "grad_output", "grad_cells"):
            getattr(tensors, name)[number, length:] = float("nan")
    assert_same(run(tensors), clean)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_state_dies_where_a_sequence_starts(reverse: bool, dtype: torch.dtype) -> None:
    gates, weight = torch.randn(5, 3, 68).to(dtype), torch.randn(68, 17).to(dtype)
    cont = torch.ones(5, 3, dtype=torch.bool)
    cont[3 if reverse else 2, 0] = False
    nan = torch.full((3, 17), float("nan"), dtype=dtype)
    output, h_n, *_ = OPS.lstm_forward_triton(
        gates, weight, None, None, nan, nan, cont, None, reverse, False, False, False
    )
    clean = slice(0, 3) if reverse else slice(2, None)
    assert output[clean, 0].isfinite().all() and h_n[0].isfinite().all()
    assert output[:, 1:].isnan().all()


def test_nan_stays_in_its_row() -> None:
    tensors = row("cont")
    clean = run(tensors)
    tensors.gates[:, 0] = float("nan")
    found = run(tensors)
    assert found[0][:, 0].isnan().all()
    for number in (0, 3, 4, 5):
        assert_bitwise_equal(found[number][:, 1:], clean[number][:, 1:], f"result {number}")


@pytest.mark.parametrize("layout", [padded_rows, spread_columns, swapped_axes, off_alignment])
def test_strides_change_nothing(layout: Callable[[Tensor], Tensor]) -> None:
    tensors = row("all_reverse")
    strided = tensors.map(layout)
    assert strided.cont is not None and strided.lengths is not None
    strided.cont = swapped_axes(strided.cont)
    strided.lengths = strided.lengths.repeat_interleave(2)[::2]
    assert_same(run(strided), run(tensors))


def test_expanded_gradients_and_gates() -> None:
    tensors = row("all_reverse")
    tensors.gates = tensors.gates[:1, :1].expand(tensors.gates.shape)
    tensors.grad_output = torch.tensor(0.5).expand(tensors.grad_output.shape)
    tensors.grad_cells = tensors.grad_cells[:1].expand(tensors.grad_cells.shape)
    assert_same(run(tensors), run(tensors.map(Tensor.contiguous)))


def test_offsets_are_64_bit() -> None:
    """Two steps further apart than 32 bits reach; nothing between them is ever touched."""
    storage = torch.empty(2**31 + 2**10, dtype=torch.float16)
    gates = storage.as_strided((2, 1, 8), (2**31, 8, 1))
    gates.copy_(torch.randn(2, 1, 8))
    weight = torch.randn(8, 2).half()
    options = (None, None, None, None, None, None, False, False, False, False)
    actual = OPS.lstm_forward_triton(gates, weight, *options)[0]
    expected = OPS.lstm_forward_triton(gates.contiguous(), weight, *options)[0]
    assert_bitwise_equal(actual, expected, "output")


@pytest.mark.parametrize("length", [-3, 2**40])
def test_lengths_outside_the_sequence_read_nothing_else(length: int) -> None:
    """A GPU is not waited for to check them: they count as the nearer end."""
    tensors, clamped = row("all_reverse"), row("all_reverse")
    assert tensors.lengths is not None and clamped.lengths is not None
    tensors.lengths[1], clamped.lengths[1] = length, min(max(length, 0), 8)
    saved = OPS.lstm_forward_triton(*clamped.forward_arguments(), True, True)
    assert_same(run(tensors)[:5], list(saved))
    actual = OPS.lstm_backward_triton(*tensors.backward_arguments(saved[4], saved[3]))
    expected = OPS.lstm_backward_triton(*clamped.backward_arguments(saved[4], saved[3]))
    assert_same(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_saturated_gates(dtype: torch.dtype) -> None:
    """Activations at all sizes, infinite ones too, and their gradients."""
    values = torch.tensor([0.0, 1e-4, 0.3, 0.6, 0.65, 2.0, 9.0, 50.0, 6e4, float("inf")])
    gates = torch.cat([values, -values]).repeat(1, 4)[None].to(dtype)
    arguments = (torch.zeros(80, 20, dtype=dtype), *[None] * 6, False, False, True, True)
    actual = OPS.lstm_forward_triton(gates, *arguments)
    loop = reference.lstm_forward(gates, *arguments)
    exact = reference.lstm_forward(gates.double(), arguments[0].double(), *arguments[1:])
    for number, three in enumerate(zip(actual, loop, exact, strict=True)):
        assert_no_worse_than_torch(*three, f"result {number}")


def test_tanh_keeps_the_digits_of_small_values() -> None:
    gates = torch.zeros(1, 1, 4)
    gates[0, 0, 0], gates[0, 0, 2] = 50, 1.234567e-5
    options = (None, None, None, None, None, None, False, False, False, False)
    c_n = OPS.lstm_forward_triton(gates, torch.zeros(4, 1), *options)[2]
    assert abs(c_n.item() / 1.234567e-5 - 1) < 2 * torch.finfo(torch.float32).eps
