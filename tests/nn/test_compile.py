"""torch.compile of whole graphs with dynamic T and B, forward and backward."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

import lrcn_fast
from tests.helpers.modules import Layout
from tests.helpers.tolerance import assert_equal_to_oracle

OPTIONS = {
    "plain": {},
    "cont": {"cont": True},
    "lengths": {"lengths": True},
    "static": {"static": True},
    "all": {"cont": True, "lengths": True, "static": True, "return_cells": True},
}
ROWS = [
    (Layout(), "plain"),
    (Layout(num_layers=2, bidirectional=True, batch_first=True), "all"),
    (Layout(proj_size=3), "lengths"),
    (Layout(bidirectional=True), "cont"),
    (Layout(num_layers=2, bias=False), "static"),
]


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    torch._dynamo.reset()


def arguments(layout: Layout, options: dict[str, bool], T: int, B: int) -> dict[str, Any]:
    """Keyword arguments of a call of T steps and B rows."""
    leading = (B, T) if layout.batch_first else (T, B)
    found: dict[str, Any] = {"input": layout.sequence(T, B), "hx": layout.state(B)}
    if options.get("cont"):
        found["cont"] = torch.rand(leading) > 0.3
    if options.get("lengths"):
        found["lengths"] = torch.randint(0, T + 1, (B,))
    if options.get("static"):
        found["static"] = torch.randn(B, 4, dtype=torch.float64)
    if options.get("return_cells"):
        found["return_cells"] = True
    return found


def outcome(call: Any, module: torch.nn.Module, given: dict[str, Any]) -> list[Tensor]:
    """All results of a call and all gradients of their weighted sum."""
    module.zero_grad()
    x = given["input"].detach().requires_grad_()
    output, (h_n, c_n), *cells = call(**{**given, "input": x})
    results = [output, h_n, c_n, *cells]
    sum((t * torch.linspace(-1, 2, t.numel()).view(t.shape)).sum() for t in results).backward()
    gradients = [p.grad for p in module.parameters()]
    assert x.grad is not None and all(g is not None for g in gradients)
    return [t.detach().clone() for t in (*results, x.grad, *gradients)]


@pytest.mark.parametrize("layout, options", ROWS, ids=str)
def test_full_graph_with_dynamic_sizes(layout: Layout, options: str) -> None:
    """Compiled once for all sizes: T, B beyond the first call must not compile again."""
    module = lrcn_fast.LSTM(
        **layout.arguments(),
        static_size=4 if "static" in OPTIONS[options] else 0,
        dtype=torch.float64,
    )
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend=counter)
    counts = []
    # Sizes that no weight has: equal sizes would share a symbol, and the weights are static.
    for T, B in ((11, 6), (8, 2), (3, 9)):
        given = arguments(layout, OPTIONS[options], T, B)
        actual, expected = outcome(compiled, module, given), outcome(module, module, given)
        for number, (mine, other) in enumerate(zip(actual, expected, strict=True)):
            assert_equal_to_oracle(mine, other, f"T={T}, B={B}, result {number}")
        counts.append(counter.frame_count)
    assert len(set(counts)) == 1


def test_no_grad_graph() -> None:
    module = lrcn_fast.LSTM(5, 7, num_layers=2).eval()
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch.no_grad():
        for T in (4, 9):
            x = torch.randn(T, 2, 5)
            torch.testing.assert_close(compiled(x)[0], module(x)[0])


def test_step_of_one_frame() -> None:
    module = lrcn_fast.LSTM(5, 7)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    state = (torch.zeros(1, 2, 7), torch.zeros(1, 2, 7))
    for _ in range(3):
        x = torch.randn(1, 2, 5)
        output, new = compiled(x, state)
        torch.testing.assert_close(output, module(x, state)[0])
        state = (new[0].detach(), new[1].detach())


def test_inductor() -> None:
    """The default backend, forward and backward."""
    module = lrcn_fast.LSTM(4, 6)

    def loss(x: Tensor, cont: Tensor) -> Tensor:
        return module(x, cont=cont)[0].square().sum()

    compiled = torch.compile(loss, fullgraph=True, dynamic=True)
    for T in (3, 6):
        x, cont = torch.randn(T, 2, 4), torch.rand(T, 2) > 0.3
        results = []
        for call in (compiled, loss):
            module.zero_grad()
            value = call(x, cont)
            value.backward()
            results.append([value, *(p.grad for p in module.parameters())])
        for mine, other in zip(*results, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def test_reference_backend() -> None:
    module = lrcn_fast.LSTM(4, 6)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 2, 4)
    with lrcn_fast.use_backend("reference"):
        torch.testing.assert_close(compiled(x)[0], module(x)[0])


def test_autocast_inside() -> None:
    module = lrcn_fast.LSTM(4, 6, num_layers=2)

    def run(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return module(x)[0]

    x = torch.randn(3, 2, 4)
    actual = torch.compile(run, fullgraph=True, backend="aot_eager")(x)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual, run(x))


def test_training_with_dropout() -> None:
    module = lrcn_fast.LSTM(4, 6, num_layers=2, dropout=0.5)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 2, 4)
    torch.manual_seed(1)
    first = compiled(x)[0]
    torch.manual_seed(1)
    assert torch.equal(compiled(x)[0], first)
    assert not torch.equal(compiled(x)[0], first)
