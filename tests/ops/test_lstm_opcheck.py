"""torch.library.opcheck on every case row: schema, fake kernel, autograd, functionalisation."""

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from lrcn_fast import reference
from tests.helpers.cases import CASES, Case, build

OPS = torch.ops.lrcn_fast


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward(case: Case, suffix: str) -> None:
    tensors = build(case, torch.float32)
    for tensor in tensors.differentiable().values():
        tensor.requires_grad_()
    op = getattr(OPS, f"lstm_forward{suffix}").default
    torch.library.opcheck(op, (*tensors.forward_arguments(), True, True))


@pytest.mark.parametrize("save_cells", [False, True])
def test_forward_without_gradient(save_cells: bool) -> None:
    tensors = build(CASES[0], torch.float32)
    arguments = (*tensors.forward_arguments(), save_cells, False)
    torch.library.opcheck(OPS.lstm_forward.default, arguments)


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward(case: Case, suffix: str) -> None:
    tensors = build(case, torch.float32)
    saved = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    op = getattr(OPS, f"lstm_backward{suffix}").default
    torch.library.opcheck(op, tensors.backward_arguments(saved[4], saved[3]))


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("case", CASES[4::8], ids=str)
def test_windows(case: Case, suffix: str) -> None:
    tensors = build(case, torch.float32)
    gates, *rest = tensors.forward_arguments()
    x, weight_ih, bias = torch.randn(*gates.shape[:2], 3), torch.randn(4 * case.H, 3), gates[0, 0]
    arguments = (x, weight_ih, bias.clone(), *rest, 2, 0)
    differentiable = arguments[:8]
    for tensor in differentiable:
        if tensor is not None:
            tensor.requires_grad_()
    forward = getattr(OPS, f"lstm_windows_forward{suffix}").default
    torch.library.opcheck(forward, (*arguments, True))
    with torch.no_grad():
        output, h_n, c_n, cells, *borders = forward(*arguments, True)
        needs = [tensor is not None for tensor in differentiable]
        backward = getattr(OPS, f"lstm_windows_backward{suffix}").default
        given = [None if x is None else x.detach() for x in arguments[:10]]
        torch.library.opcheck(
            backward, (*given, *arguments[10:], *borders, output, h_n, c_n, cells, needs)
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_dtypes(dtype: torch.dtype) -> None:
    tensors = build(next(row for row in CASES if row.name == "all"), dtype)
    torch.library.opcheck(
        OPS.lstm_forward.default,
        (*tensors.forward_arguments(), True, True),
        test_utils=("test_schema", "test_faketensor"),
    )


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("with_state", [False, True])
def test_cell(with_state: bool, suffix: str) -> None:
    gates = torch.randn(3, 20, requires_grad=True)
    c0 = torch.randn(3, 5, requires_grad=True) if with_state else None
    forward = getattr(OPS, f"lstm_cell_forward{suffix}").default
    backward = getattr(OPS, f"lstm_cell_backward{suffix}").default
    torch.library.opcheck(forward, (gates, c0))
    with torch.no_grad():
        _, c, activations = forward(gates, c0)
    grads = (torch.randn(3, 5), torch.randn(3, 5))
    plain = None if c0 is None else c0.detach()
    for grad_h, grad_c in [grads, (grads[0], None), (None, grads[1])]:
        torch.library.opcheck(backward, (grad_h, grad_c, activations, c, plain))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (0, 4), (2, 0, 4)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear(shape: tuple[int, ...], with_bias: bool) -> None:
    bias = torch.randn(5, requires_grad=True) if with_bias else None
    weight = torch.randn(5, 4, requires_grad=True)
    torch.library.opcheck(
        OPS.linear.default, (torch.randn(shape, requires_grad=True), weight, bias)
    )
