"""Forward mode of the modules against torch's: jvp, dual tensors, any argument and parameter."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._pytree import tree_leaves

import lrcn_fast
from tests.helpers.tolerance import assert_equal_to_oracle

FLOAT = torch.float64
STATE = (torch.ones(1, 2, 4, dtype=FLOAT), torch.ones(1, 2, 4, dtype=FLOAT))
LONG, ROW = torch.ones(5, 2, 3, dtype=FLOAT), torch.ones(2, 3, dtype=FLOAT)

Call = Callable[[nn.Module, Tensor], Any]
CALLS: dict[str, tuple[type[nn.Module], tuple[int, ...], Call]] = {
    "sequence": (nn.LSTM, (5, 2, 3), lambda module, x: module(x)),
    "one step": (nn.LSTM, (1, 2, 3), lambda module, x: module(x)),
    "one step with a state": (nn.LSTM, (1, 2, 3), lambda module, x: module(x, STATE)),
    "unbatched": (nn.LSTM, (5, 3), lambda module, x: module(x)),
    "h0": (nn.LSTM, (1, 2, 4), lambda module, h: module(LONG, (h, STATE[1]))),
    "c0": (nn.LSTM, (1, 2, 4), lambda module, c: module(LONG, (STATE[0], c))),
    "cell": (nn.LSTMCell, (2, 3), lambda module, x: module(x)),
    "cell with a state": (nn.LSTMCell, (2, 3), lambda m, x: m(x, (STATE[0][0], STATE[1][0]))),
    "cell state": (nn.LSTMCell, (2, 4), lambda module, c: module(ROW, (c, c))),
}


def twins(kind: type[nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Our module and torch's, with the same weights."""
    theirs = kind(3, 4).double()
    ours = getattr(lrcn_fast, kind.__name__)(3, 4, dtype=FLOAT)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.fixture(params=CALLS.values(), ids=list(CALLS))
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, nn.Module, Tensor, Call]:
    """Our module and torch's, the tensor that is differentiated at, and the call."""
    kind, shape, call = request.param
    return *twins(kind), torch.randn(shape, dtype=FLOAT), call


def compare(ours: Any, theirs: Any) -> None:
    for number, pair in enumerate(zip(tree_leaves(ours), tree_leaves(theirs), strict=True)):
        assert_equal_to_oracle(*pair, f"result {number}")


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_jvp(case: tuple[nn.Module, nn.Module, Tensor, Call], backend: str) -> None:
    ours, theirs, x, call = case

    def jvp(module: nn.Module) -> Any:
        return torch.func.jvp(lambda x: call(module, x), (x,), (x.cos(),))

    with lrcn_fast.use_backend(backend):
        compare(jvp(ours), jvp(theirs))


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("grad", [False, True], ids=["no_grad", "grad"])
def test_dual_tensors(
    case: tuple[nn.Module, nn.Module, Tensor, Call], frozen: bool, grad: bool
) -> None:
    """Without a gradient no autograd node is made that could hold the tangent."""
    *modules, x, call = case
    found = []
    for module in modules:
        module.requires_grad_(not frozen)
        with nullcontext() if grad else torch.no_grad(), forward_ad.dual_level():
            dual = forward_ad.make_dual(x, x.cos())
            results = tree_leaves(call(module, dual))
            found.append([tuple(forward_ad.unpack_dual(result)) for result in results])
    compare(*found)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.LSTMCell])
def test_dual_parameters(kind: type[nn.Module]) -> None:
    modules = twins(kind)
    x = ROW if kind is nn.LSTMCell else LONG
    for name, parameter in list(modules[1].named_parameters()):
        found = []
        for module in modules:
            with forward_ad.dual_level():
                value = parameter.detach()
                changed = {name: forward_ad.make_dual(value, value.cos())}
                results = tree_leaves(torch.func.functional_call(module, changed, (x,)))
                found.append([tuple(forward_ad.unpack_dual(result)) for result in results])
        compare(*found)


def test_a_level_without_tangents_changes_nothing(
    case: tuple[nn.Module, nn.Module, Tensor, Call],
) -> None:
    module, _, x, call = case
    expected = call(module, x)
    with forward_ad.dual_level():
        for pair in zip(tree_leaves(call(module, x)), tree_leaves(expected), strict=True):
            assert torch.equal(*pair)
