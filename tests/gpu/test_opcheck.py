"""torch.library.opcheck of the CUDA operators: schema, fake kernel, autograd, functionalisation."""

import pytest
import torch

from lrcn_fast import reference
from tests.gpu.operators import build_on, named, operator
from tests.helpers.cases import Case

pytestmark = pytest.mark.gpu

ROWS = [named(name) for name in ("plain", "no_stream", "all", "all_reverse", "projection_one")]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_forward(case: Case, backend: str, device: torch.device) -> None:
    op = operator("lstm_forward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    for tensor in tensors.differentiable().values():
        tensor.requires_grad_()
    torch.library.opcheck(op, (*tensors.forward_arguments(), True, True))


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_backward(case: Case, backend: str, device: torch.device) -> None:
    op = operator("lstm_backward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    *_, cells, activations = reference.lstm_forward(*tensors.forward_arguments(), True, True)
    torch.library.opcheck(op, tensors.backward_arguments(activations, cells))


def test_other_dtypes(dtype: torch.dtype, backend: str, device: torch.device) -> None:
    op = operator("lstm_forward", backend, device, dtype, named("all"))
    tensors = build_on(device, named("all"), dtype)
    torch.library.opcheck(
        op,
        (*tensors.forward_arguments(), True, True),
        test_utils=("test_schema", "test_faketensor"),
    )


@pytest.mark.parametrize("with_state", [False, True])
def test_cell(with_state: bool, device: torch.device) -> None:
    ops = torch.ops.lrcn_fast
    gates = torch.randn(3, 20, device=device, requires_grad=True)
    c0 = torch.randn(3, 5, device=device, requires_grad=True) if with_state else None
    torch.library.opcheck(ops.lstm_cell_forward.default, (gates, c0))
    plain = None if c0 is None else c0.detach()
    h, c, activations = ops.lstm_cell_forward(gates.detach(), plain)
    torch.library.opcheck(ops.lstm_cell_backward.default, (h, c, activations, c, plain))
