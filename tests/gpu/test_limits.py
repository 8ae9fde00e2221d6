"""The longest and the shortest problems."""

import pytest
import torch

import lrcn_fast
from tests.gpu.operators import build_on, forward_and_backward, operator, require
from tests.helpers.cases import Case
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = pytest.mark.gpu


def test_more_steps_than_cudnn_takes(backend: str, device: torch.device) -> None:
    """T > 65535 in one call is the same as two calls with the state carried over."""
    case = Case("endless", T=70_000, B=1, H=2)
    split = 40_000
    forward = operator("lstm_forward", backend, device, torch.float32, case)
    backward = operator("lstm_backward", backend, device, torch.float32, case)
    tensors = build_on(device, case, torch.float32)
    whole = forward(*tensors.forward_arguments(), True, True)
    grads = backward(*tensors.backward_arguments(whole[4], whole[3]))

    def part(rows: slice, h0: torch.Tensor | None, c0: torch.Tensor | None) -> tuple[object, ...]:
        more = (None, None, False, False, True, True)
        return (tensors.gates[rows], tensors.weight_hh, None, None, h0, c0, *more)

    first = forward(*part(slice(split), tensors.h0, tensors.c0))
    second = forward(*part(slice(split, None), first[1], first[2]))
    assert_bitwise_equal(whole[0], torch.cat([first[0], second[0]]), "output")
    assert_bitwise_equal(whole[2], second[2], "c_n")

    late = slice(split, None)
    weight, options = tensors.weight_hh, (None, None, False, False)
    last = backward(
        *(tensors.grad_output[late], tensors.grad_h_n, tensors.grad_c_n, tensors.grad_cells[late]),
        *(whole[4][late], whole[3][late], weight, None, first[2], *options),
    )
    assert_bitwise_equal(grads[0][late], last[0], "grad_gates")
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize(
    "case",
    [
        Case("empty", T=4, B=0, H=5),
        Case("empty_all", 4, 0, 24, 7, True, True, "random", (), reverse=True),
        Case("empty_large", T=2, B=0, H=1024, batch_first=True),
    ],
    ids=str,
)
def test_empty_batch(case: Case, dtype: torch.dtype, backend: str, device: torch.device) -> None:
    results = forward_and_backward(backend, device, dtype, case)(build_on(device, case, dtype))
    torch.cuda.synchronize()
    outer = (0, case.T) if case.batch_first else (case.T, 0)
    shapes = [(*outer, case.width), (0, case.width), (0, case.H), (*outer, case.H)]
    shapes += [(*outer, 4 * case.H), (*outer, 4 * case.H), (0, case.width), (0, case.H)]
    assert [tuple(result.shape) for result in results[:8]] == shapes


def test_empty_batch_of_a_module(backend: str, device: torch.device) -> None:
    """No row, and still a gradient of zeros for every weight."""
    require(backend, device, torch.float32)
    module = lrcn_fast.LSTM(3, 8, num_layers=2, bidirectional=True, device=device)
    with lrcn_fast.use_backend(backend):
        output, _ = module(torch.randn(4, 0, 3, device=device))
    output.sum().backward()
    for parameter in module.parameters():
        assert parameter.grad is not None and not parameter.grad.any()
