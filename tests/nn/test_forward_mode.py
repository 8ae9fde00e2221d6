"""Forward mode would lose its tangent in the operators without a word: it is refused instead."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

import lrcn_fast

REFUSED = r"(?i)forward.mode"
STATE = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))

Call = Callable[[nn.Module, Tensor], Any]
CALLS: dict[str, tuple[type[nn.Module], tuple[int, ...], Call]] = {
    "sequence": (lrcn_fast.LSTM, (5, 2, 3), lambda module, x: module(x)[0]),
    "one step": (lrcn_fast.LSTM, (1, 2, 3), lambda module, x: module(x)[0]),
    "unbatched": (lrcn_fast.LSTM, (5, 3), lambda module, x: module(x)[0]),
    "final state": (lrcn_fast.LSTM, (5, 2, 3), lambda module, x: module(x)[1][1]),
    "h0": (lrcn_fast.LSTM, (1, 2, 4), lambda m, h: m(torch.ones(5, 2, 3), (h, STATE[1]))[0]),
    "c0": (lrcn_fast.LSTM, (1, 2, 4), lambda m, c: m(torch.ones(5, 2, 3), (STATE[0], c))[0]),
    "cell": (lrcn_fast.LSTMCell, (2, 3), lambda module, x: module(x)[0]),
    "cell state": (lrcn_fast.LSTMCell, (2, 4), lambda m, c: m(torch.ones(2, 3), (c, c))[1]),
}


@pytest.fixture(params=CALLS.values(), ids=list(CALLS))
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Call]:
    """A module, the tensor that is differentiated at, and the call."""
    kind, shape, call = request.param
    return kind(3, 4), torch.randn(shape), call


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_jvp(case: tuple[nn.Module, Tensor, Call], backend: str) -> None:
    module, x, call = case
    with lrcn_fast.use_backend(backend), pytest.raises(NotImplementedError, match=REFUSED):
        torch.func.jvp(lambda x: call(module, x), (x,), (torch.ones_like(x),))


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("grad", [False, True], ids=["no_grad", "grad"])
def test_dual_tensors(case: tuple[nn.Module, Tensor, Call], frozen: bool, grad: bool) -> None:
    """Without a gradient no autograd node is made that could refuse the tangent by itself."""
    module, x, call = case
    module.requires_grad_(not frozen)
    with nullcontext() if grad else torch.no_grad(), forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        with pytest.raises(NotImplementedError, match=REFUSED):
            call(module, dual)


@pytest.mark.parametrize("kind", [lrcn_fast.LSTM, lrcn_fast.LSTMCell])
def test_dual_parameters(kind: type[nn.Module]) -> None:
    module = kind(3, 4)
    x = torch.randn((2, 3) if kind is lrcn_fast.LSTMCell else (5, 2, 3))
    for name, parameter in list(module.named_parameters()):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(parameter.detach(), torch.ones_like(parameter))
            with pytest.raises(NotImplementedError, match=REFUSED):
                torch.func.functional_call(module, {name: dual}, (x,))


def test_a_level_without_tangents_changes_nothing(
    case: tuple[nn.Module, Tensor, Call],
) -> None:
    module, x, call = case
    expected = call(module, x)
    with forward_ad.dual_level():
        assert torch.equal(call(module, x), expected)
