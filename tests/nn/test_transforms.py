"""torch.func on modules: which kernels it runs, ensembles, and whole graphs under torch.compile."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacrev, jvp, stack_module_state, vjp, vmap
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import lrcn_fast
from lrcn_fast import reference
from tests.helpers.modules import Layout, twins
from tests.helpers.tolerance import (
    GRADIENT,
    assert_equal_to_oracle,
    assert_no_worse_than_torch,
)

Params = dict[str, Tensor]


class Operators(TorchDispatchMode):
    """Counts the calls of the package's operators."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "lrcn_fast":
            self.calls[func._opname] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """torch's warning that vmap runs something one element after the other is an error."""
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "There is a performance drop")
        yield


def parameters(module: nn.Module) -> Params:
    return {name: value.detach() for name, value in module.named_parameters()}


def loss(module: nn.Module, params: Params, x: Tensor) -> Tensor:
    output, (h_n, c_n) = functional_call(module, params, (x,))
    total: Tensor = output.square().sum() + h_n.sum() + c_n.sin().sum()
    return total


def compare(ours: Any, theirs: Any) -> None:
    for number, pair in enumerate(zip(tree_leaves(ours), tree_leaves(theirs), strict=True)):
        assert_equal_to_oracle(*pair, f"result {number}", GRADIENT)


@pytest.mark.parametrize("layout", [Layout(), Layout(num_layers=2, batch_first=True)], ids=str)
def test_per_sample_gradients_are_one_call_of_each_kernel(layout: Layout) -> None:
    theirs, ours = twins(layout)
    samples = torch.stack([layout.sequence(4, 1) for _ in range(6)])

    def gradients(params: Params, x: Tensor) -> Params:
        return grad(lambda params: loss(ours, params, x))(params)

    with Operators() as operators:
        together = vmap(gradients, in_dims=(None, 0))(parameters(ours), samples)
    kernels = {"lstm_forward": layout.num_layers, "lstm_backward": layout.num_layers}
    assert operators.calls == kernels
    for n, x in enumerate(samples):
        alone = torch.autograd.grad(
            loss(theirs, dict(theirs.named_parameters()), x), list(theirs.parameters())
        )
        compare([gradient[n] for gradient in together.values()], alone)


def test_ensemble_of_modules() -> None:
    layout = Layout(bidirectional=True, proj_size=3)
    pairs = [twins(layout) for _ in range(3)]
    params, _ = stack_module_state([ours for _, ours in pairs])
    x = layout.sequence(5, 2)

    def member(params: Params) -> tuple[Tensor, Params]:
        module = pairs[0][1]
        return loss(module, params, x), grad(lambda params: loss(module, params, x))(params)

    losses, gradients = vmap(member)(params)
    for n, (theirs, _) in enumerate(pairs):
        value = loss(theirs, dict(theirs.named_parameters()), x)
        compare(losses[n], value.detach())
        alone = torch.autograd.grad(value, list(theirs.parameters()))
        compare([gradient[n] for gradient in gradients.values()], alone)


def test_forward_mode_and_second_derivatives_run_the_kernels() -> None:
    _, module = twins(Layout())
    x = Layout().sequence(4, 2)
    with Operators() as operators, torch.no_grad():
        jvp(lambda x: module(x)[0], (x,), (x,))
    assert operators.calls == {"lstm_forward": 1}
    leaf = x.requires_grad_()
    (first,) = torch.autograd.grad(module(leaf)[0].sum(), leaf, create_graph=True)
    with Operators() as operators:
        first.sum().backward()
    assert operators.calls == {"lstm_backward": 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("T", [1, 5])
def test_dtypes(T: int, dtype: torch.dtype) -> None:
    """Errors of a second derivative and a tangent against float64, beside the definition's."""
    layout = Layout(bidirectional=True, proj_size=3)
    x = layout.sequence(T, 2, dtype)
    module = lrcn_fast.LSTM(**layout.arguments(), dtype=dtype)
    values = [parameter.detach() for parameter in module.parameters()]

    def derivatives(lstm: Callable[..., Any], dtype: torch.dtype) -> list[Tensor]:
        inputs = [value.to(dtype).requires_grad_() for value in (x, *values)]
        options = layout.oracle_arguments()

        def output(x: Tensor, *params: Tensor) -> Tensor:
            return lstm(x, None, params, **options)[0]

        total = output(*inputs).sin().sum()
        (first,) = torch.autograd.grad(total, inputs[:1], create_graph=True)
        found = torch.autograd.grad(first.square().sum(), inputs)
        plain = tuple(value.detach() for value in inputs)
        return [*found, jvp(output, plain, plain)[1]]

    results = (
        derivatives(lrcn_fast.functional.lstm, dtype),
        derivatives(reference.lstm, dtype),
        derivatives(reference.lstm, torch.float64),
    )
    for number, found in enumerate(zip(*results, strict=True)):
        assert_no_worse_than_torch(*found, f"result {number}")


def test_hooks_on_saved_tensors() -> None:
    """They see what all backwards save, and so does a second one inside of them."""
    _, module = twins(Layout(bidirectional=True))
    x = Layout().sequence(4, 2).requires_grad_()
    found = []
    for context in (nullcontext(), torch.autograd.graph.save_on_cpu()):
        with context:
            (first,) = torch.autograd.grad(module(x)[0].sin().sum(), x, create_graph=True)
            found.append(torch.autograd.grad(first.square().sum(), x))
    compare(*found)


@pytest.mark.parametrize("every", [None, 2])
def test_gradient_penalty(every: int | None) -> None:
    """Against torch's module, with windows that are computed anew too."""
    layout = Layout(num_layers=2, bidirectional=True)
    theirs, ours = twins(layout)
    ours.recompute_every = every
    x = layout.sequence(5, 3)
    found = []
    for module in (ours, theirs):
        leaf = x.clone().requires_grad_()
        with torch.backends.mkldnn.flags(enabled=False):
            value = loss(module, dict(module.named_parameters()), leaf)
            (first,) = torch.autograd.grad(value, leaf, create_graph=True)
            first.square().sum().backward()
        found.append([leaf.grad, *(parameter.grad for parameter in module.parameters())])
    compare(*found)


def test_cell() -> None:
    """Over states and per sample, against the definition of the step."""
    module = lrcn_fast.LSTMCell(3, 4, dtype=torch.float64)
    x, h, c = (torch.randn(5, 2, size, dtype=torch.float64) for size in (3, 4, 4))

    def ours(params: Params, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
        return scalar(*functional_call(module, params, (x, (h, c))))

    def oracle(params: Params, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
        weight_ih, weight_hh, *biases = params.values()
        gates = x @ weight_ih.t() + h @ weight_hh.t() + sum(biases)
        return scalar(*reference.lstm_cell_forward(gates, c)[:2])

    def scalar(new_h: Tensor, new_c: Tensor) -> Tensor:
        return new_h.sin().sum() + new_c.square().sum()

    for transform in (lambda f: f, grad, lambda f: hessian(f, argnums=3)):
        results = [
            vmap(transform(function), (None, 0, 0, 0))(parameters(module), x, h, c)
            for function in (ours, oracle)
        ]
        compare(*results)


def test_packed_sequence() -> None:
    """Twice backward; torch's own packing has no forward mode and no rule of torch.func."""
    layout, lengths = Layout(bidirectional=True), [2, 5, 1]
    x, found = layout.sequence(5, 3), []
    for module in twins(layout):
        leaf = x.clone().requires_grad_()
        packed = pack_padded_sequence(leaf, lengths, enforce_sorted=False)
        with torch.backends.mkldnn.flags(enabled=False):
            total = module(packed)[0].data.sin().sum()
            (first,) = torch.autograd.grad(total, leaf, create_graph=True)
            found.append(torch.autograd.grad(first.square().sum(), leaf))
    compare(*found)


def test_mapped_lengths_are_checked() -> None:
    module, x = lrcn_fast.LSTM(3, 4), torch.randn(4, 2, 3)
    lengths = torch.tensor([[1, 4], [0, 2], [3, 3]])
    with torch.no_grad():
        together = vmap(lambda n: module(x, lengths=n)[0])(lengths)
        for n, one in enumerate(lengths):
            torch.testing.assert_close(together[n], module(x, lengths=one)[0])
    with pytest.raises(ValueError, match=r"lengths: .*0..T = 4, got 0..5"):
        vmap(lambda n: module(x, lengths=n)[0])(lengths + (lengths == 4))


def test_a_finished_vjp_differentiates_again() -> None:
    """Its tensors are those of a transform that has ended."""
    theirs, ours = twins(Layout())
    x = Layout().sequence(4, 2)

    def call(module: nn.Module) -> Any:
        def inner(x: Tensor) -> Tensor:
            return grad(lambda x: loss(module, parameters(module), x))(x)

        value, pull = vjp(inner, x)
        return value, pull(x.cos()), vmap(pull)(torch.stack([x, -x]))

    with torch.backends.mkldnn.flags(enabled=False):
        compare(call(ours), call(theirs))


def test_linearize() -> None:
    theirs, ours = twins(Layout())
    x = Layout().sequence(3, 2)

    def call(module: nn.Module) -> Any:
        value, push = torch.func.linearize(lambda x: module(x)[0], x)
        return value, push(x.cos())

    compare(call(ours), torch.func.jvp(lambda x: theirs(x)[0], (x,), (x.cos(),)))


WHOLE: dict[str, Callable[[Callable[..., Tensor], Params, Tensor], Any]] = {
    "grad": lambda f, params, x: grad(f)(params, x),
    "vmap": lambda f, params, x: vmap(f, (None, 0))(params, torch.stack([x, -x])),
    "per sample": lambda f, params, x: vmap(grad(f), (None, 0))(params, torch.stack([x, -x])),
    "ensemble": lambda f, params, x: vmap(f, (0, None))(
        {name: torch.stack([value, -value]) for name, value in params.items()}, x
    ),
    "jvp": lambda f, params, x: jvp(lambda x: f(params, x), (x,), (x.cos(),)),
    "jacrev": lambda f, params, x: jacrev(f, argnums=1)(params, x),
    "hessian": lambda f, params, x: hessian(f, argnums=1)(params, x),
    "grad of grad": lambda f, params, x: grad(lambda x: grad(f, 1)(params, x).sin().sum())(x),
}


@pytest.mark.parametrize("layout", [Layout(), Layout(bidirectional=True)], ids=str)
@pytest.mark.parametrize("name", WHOLE)
def test_compiles_without_a_graph_break(name: str, layout: Layout) -> None:
    _, module = twins(layout)
    x = layout.sequence(3, 2)

    def call(params: Params, x: Tensor) -> Any:
        return WHOLE[name](lambda params, x: loss(module, params, x), params, x)

    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    compare(compiled(parameters(module), x), call(parameters(module), x))


def test_compiled_code_has_no_second_derivative() -> None:
    """torch.compile's own rule for what it has compiled: an error, and nothing wrong."""
    module = torch.compile(lrcn_fast.LSTM(3, 4), fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 2, 3, requires_grad=True)
    (first,) = torch.autograd.grad(module(x)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        first.sum().backward()
