"""relu_max_pool_lrn on the GPU against its definition on the CPU."""

import pytest
import torch

from tests.gpu.operators import require_op
from tests.gpu.test_sync import waiting_is_an_error
from tests.helpers.maps import (
    CASES,
    FORMATS,
    NAMES,
    MapCase,
    Pair,
    build,
    check,
    run,
    saved_values,
)
from tests.helpers.poison import poisoned_memory
from tests.helpers.tolerance import assert_bitwise_equal

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
]

LARGE = [
    MapCase("caffenet_conv1", (4, 96, 55, 55), alpha=1e-4),
    MapCase("caffenet_conv2", (4, 256, 27, 27), alpha=1e-4),
    MapCase("hybrid_conv1", (2, 96, 111, 111), alpha=1e-4),
    MapCase("hybrid_conv2", (4, 384, 26, 26), alpha=1e-4),
]


def pair(backend: str, device: torch.device, dtype: torch.dtype) -> Pair:
    names = ("relu_max_pool_lrn_forward", "relu_max_pool_lrn_backward")
    forward, backward = (require_op(name, backend, device, dtype) for name in names)
    return forward, backward


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
@pytest.mark.parametrize("case", CASES + LARGE, ids=str)
def test_case(
    case: MapCase,
    lrn_first: bool,
    form: torch.memory_format,
    dtype: torch.dtype,
    backend: str,
    device: torch.device,
) -> None:
    operators = pair(backend, device, dtype)
    x, grad, options = build(case, dtype, form, lrn_first)
    with poisoned_memory():
        actual = run(operators, x.to(device), grad.to(device), options)
    check(actual, x, grad, options)


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("lrn_first", [False, True])
def test_repetition(
    lrn_first: bool,
    form: torch.memory_format,
    dtype: torch.dtype,
    backend: str,
    device: torch.device,
) -> None:
    operators = pair(backend, device, dtype)
    x, grad, options = build(LARGE[0], dtype, form, lrn_first)
    given = x.to(device), grad.to(device), options
    first = run(operators, *given)
    for _ in range(5):
        for name, again, once in zip(NAMES, run(operators, *given), first, strict=True):
            assert_bitwise_equal(again, once, name)


@pytest.mark.parametrize("lrn_first", [False, True])
def test_opcheck(lrn_first: bool, backend: str, device: torch.device) -> None:
    forward, backward = pair(backend, device, torch.float32)
    x, grad, options = build(CASES[0], torch.float32, torch.channels_last, lrn_first)
    x, grad = x.to(device), grad.to(device)
    _, pooled, index = forward(x, *options, True)
    values = saved_values(x, pooled, options)
    torch.library.opcheck(backward, (grad, values, index, *x.shape[2:], *options))
    torch.library.opcheck(forward, (x.requires_grad_(), *options, True))


def test_the_host_does_not_wait(backend: str, device: torch.device) -> None:
    operators = pair(backend, device, torch.bfloat16)
    x, grad, options = build(LARGE[0], torch.bfloat16, torch.channels_last)
    x, grad = x.to(device), grad.to(device)
    run(operators, x, grad, options)
    with waiting_is_an_error():
        run(operators, x, grad, options)
