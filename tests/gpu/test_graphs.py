"""CUDA graphs: captured once, replayed on other values."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import lrcn_fast
from tests.gpu.modules import Results, check_alike, exact_run, run, seed_gradient
from tests.gpu.operators import capture, require
from tests.helpers.modules import named_gradients
from tests.helpers.tolerance import assert_bitwise_equal, assert_no_worse_than_torch

pytestmark = pytest.mark.gpu

T, B, INPUT, HIDDEN = 7, 5, 6, 40
NAMES = ("output", "h_n", "c_n")


@pytest.fixture(autouse=True)
def chosen(backend: str, device: torch.device) -> Iterator[None]:
    require(backend, device, torch.float32, HIDDEN)
    with lrcn_fast.use_backend(backend):
        yield


@pytest.fixture
def module(device: torch.device) -> lrcn_fast.LSTM:
    return lrcn_fast.LSTM(INPUT, HIDDEN, 2, bidirectional=True, device=device)


def draw(device: torch.device) -> dict[str, Any]:
    """Arguments of a call, all of them on the device."""
    return {
        "x": torch.randn(T, B, INPUT, device=device),
        "hx": (
            torch.randn(4, B, HIDDEN, device=device),
            torch.randn(4, B, HIDDEN, device=device),
        ),
        "cont": torch.rand(T, B, device=device) > 0.3,
        "lengths": torch.randint(0, T + 1, (B,), device=device),
    }


def refill(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Write new values into the tensors that a graph reads."""
    with torch.no_grad():
        for name, value in new.items():
            pairs = zip(old[name], value) if name == "hx" else [(old[name], value)]
            for target, source in pairs:
                target.copy_(source)


def test_inference(module: lrcn_fast.LSTM, device: torch.device) -> None:
    given = draw(device)
    options = {"cont": given["cont"], "lengths": given["lengths"]}

    @torch.no_grad()
    def step(rnn: lrcn_fast.LSTM = module) -> tuple[Tensor, ...]:
        output, (h_n, c_n) = rnn(given["x"], given["hx"], **options)
        return output, h_n, c_n

    graph, results = capture(step)
    for _ in range(3):
        new = draw(device)
        refill(given, new)
        graph.replay()
        replayed = [result.clone() for result in results]
        graph.replay()
        exact = exact_run(module, new["x"], new["hx"], cont=new["cont"], lengths=new["lengths"])
        for name, first, again, eager in zip(NAMES, replayed, results, step()):
            assert_bitwise_equal(again, first, name)
            assert_no_worse_than_torch(first, eager, exact[name], name)


def test_training_step(module: lrcn_fast.LSTM, device: torch.device) -> None:
    """Forward and backward in one graph; the gradients are written anew by every replay."""
    given = draw(device)
    given["x"].requires_grad_()
    options = {"cont": given["cont"], "lengths": given["lengths"]}

    def step() -> list[Tensor]:
        module.zero_grad(set_to_none=True)
        given["x"].grad = None
        output, (h_n, c_n) = module(given["x"], given["hx"], **options)
        results = [output, h_n, c_n]
        torch.autograd.backward(results, [seed_gradient(result) for result in results])
        return results

    graph, results = capture(step)
    gradients = {"grad_input": given["x"].grad, **named_gradients(module)}

    def copies() -> Results:
        found = {**dict(zip(NAMES, results)), **gradients}
        return {name: tensor.detach().clone() for name, tensor in found.items()}

    for _ in range(3):
        new = draw(device)
        refill(given, new)
        graph.replay()
        replayed = copies()
        graph.replay()
        for name, again in copies().items():
            assert_bitwise_equal(again, replayed[name], name)
        call = {"cont": new["cont"], "lengths": new["lengths"]}
        eager = run(module, new["x"], new["hx"], **call)
        check_alike(replayed, eager, exact_run(module, new["x"], new["hx"], **call))


def test_make_graphed_callables(module: lrcn_fast.LSTM, device: torch.device) -> None:
    """torch's own wrapper: two graphs, joined by autograd."""
    xs = [torch.randn(T, B, INPUT, device=device) for _ in range(3)]
    expected = [run(module, x) for x in xs]
    sample = torch.randn(T, B, INPUT, device=device, requires_grad=True)
    exact = [exact_run(module, x) for x in xs]
    module.zero_grad(set_to_none=True)
    torch.cuda.make_graphed_callables(module, (sample,))
    for x, eager, truth in zip(xs, expected, exact):
        leaf = x.clone().requires_grad_()
        module.zero_grad(set_to_none=True)
        output, (h_n, c_n) = module(leaf)
        results = [output, h_n, c_n]
        torch.autograd.backward(results, [seed_gradient(result) for result in results])
        found = {**dict(zip(NAMES, results)), "grad_input": leaf.grad, **named_gradients(module)}
        check_alike(found, eager, truth)
