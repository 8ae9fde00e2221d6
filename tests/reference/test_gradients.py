"""The hand-derived backward against autograd of the loop, for every case row."""

import pytest
import torch
from torch import Tensor

from lrcn_fast.reference import (
    lstm,
    lstm_backward,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_forward,
)
from tests.helpers.cases import CASES, Case, build
from tests.helpers.modules import Layout, flat_parameters
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

OUTPUTS = ("output", "h_n", "c_n", "cells")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("outputs", [OUTPUTS, *((name,) for name in OUTPUTS)], ids="+".join)
def test_backward_is_the_gradient_of_the_loop(case: Case, outputs: tuple[str, ...]) -> None:
    """Also through each output alone, the others having no gradient."""
    tensors = build(case, torch.float64)
    inputs = {name: t.requires_grad_() for name, t in tensors.differentiable().items()}
    results = lstm_forward(*tensors.forward_arguments(), True, True)
    weights = {name: getattr(tensors, f"grad_{name}") for name in outputs}
    expected = dict(
        zip(
            inputs,
            torch.autograd.grad(
                [results[OUTPUTS.index(name)] for name in outputs],
                list(inputs.values()),
                list(weights.values()),
                materialize_grads=True,
            ),
            strict=True,
        )
    )
    with torch.no_grad():
        arguments = tensors.backward_arguments(results[4], results[3])
        given = [weights.get(name) for name in OUTPUTS]
        grad_gates, grad_h0, grad_c0, grad_hidden = lstm_backward(*given, *arguments[4:])
    assert_equal_to_oracle(grad_gates, expected["gates"], "gates", GRADIENT)
    if case.state:
        assert_equal_to_oracle(grad_h0, expected["h0"], "h0", GRADIENT)
        assert_equal_to_oracle(grad_c0, expected["c0"], "c0", GRADIENT)
    if case.static:
        steps = 1 if case.batch_first else 0
        assert_equal_to_oracle(
            grad_gates.sum(steps), expected["static_gates"], "static_gates", GRADIENT
        )
    if case.P:
        hidden = unprojected(results[4], results[3])
        grad_hr = grad_hidden.flatten(0, 1).T @ hidden.flatten(0, 1)
        assert_equal_to_oracle(grad_hr, expected["weight_hr"], "weight_hr", GRADIENT)
    else:
        assert grad_hidden.shape == (0,)


def unprojected(activations: Tensor, cells: Tensor) -> Tensor:
    """o tanh(c), which the projection multiplies."""
    return activations.chunk(4, -1)[3] * torch.tanh(cells)


def test_garbage_past_the_length_reaches_nothing() -> None:
    case = next(row for row in CASES if row.name == "all")
    tensors = build(case, torch.float64)
    results = lstm_forward(*tensors.forward_arguments(), True, True)
    clean = lstm_backward(*tensors.backward_arguments(results[4], results[3]))
    for row, length in enumerate(case.lengths or ()):
        for name in ("gates", "grad_output", "grad_cells"):
            getattr(tensors, name)[row, length:] = float("nan")
    for ours, theirs in zip(lstm_forward(*tensors.forward_arguments(), True, True), results):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(
        lstm_backward(*tensors.backward_arguments(results[4], results[3])), clean
    ):
        assert torch.equal(ours, theirs)


def test_loop_is_twice_differentiable() -> None:
    layout = Layout(input_size=2, hidden_size=2, proj_size=1, bidirectional=True)
    parameters = [p.detach().requires_grad_() for p in flat_parameters(layout.torch_module())]
    cont, lengths = torch.tensor([[1, 1], [0, 1], [1, 1]]), torch.tensor([3, 2])

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        output, (h, c) = lstm(
            x, None, weights, cont=cont, lengths=lengths, **layout.oracle_arguments()
        )
        return output.sum() + h.sum() + c.sum()

    x = layout.sequence(3, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(run, (x, *parameters), fast_mode=True)


@pytest.mark.parametrize("given", ["h", "c", "both", "neither"])
@pytest.mark.parametrize("with_state", [False, True])
def test_cell_backward(given: str, with_state: bool) -> None:
    gates = torch.randn(3, 20, dtype=torch.float64, requires_grad=True)
    c0 = torch.randn(3, 5, dtype=torch.float64, requires_grad=True) if with_state else None
    h, c, activations = lstm_cell_forward(gates, c0)
    grad_h = torch.randn_like(h) if given in ("h", "both") else None
    grad_c = torch.randn_like(c) if given in ("c", "both") else None
    inputs = [gates] if c0 is None else [gates, c0]
    loss = (h * 0 if grad_h is None else h * grad_h) + (c * 0 if grad_c is None else c * grad_c)
    expected = torch.autograd.grad(loss.sum(), inputs)
    with torch.no_grad():
        actual = lstm_cell_backward(grad_h, grad_c, activations, c, c0)
    assert actual[1].shape == (3, 5)
    for name, ours, theirs in zip(("gates", "c0"), actual, expected):
        assert_equal_to_oracle(ours, theirs, name, GRADIENT)
