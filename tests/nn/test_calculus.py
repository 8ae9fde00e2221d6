"""Derivatives of any order and mode against those of the definition, with any option."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.utils._pytree import tree_leaves

from tests.helpers.calculus import Function, Inputs, Problem, problems, weighted
from tests.helpers.tolerance import GRADIENT, assert_equal_to_oracle

Derivative = Callable[[Function, Inputs, Inputs], Any]


def repeated(order: int) -> Derivative:
    """Gradients of weighted sums of gradients, as ``create_graph`` makes them."""

    def derivative(function: Function, inputs: Inputs, along: Inputs) -> Any:
        leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
        scalar, found = weighted(function)(leaves), ()
        for _ in range(order):
            found = torch.autograd.grad(
                scalar, list(leaves.values()), create_graph=True, materialize_grads=True
            )
            scalar = sum((g * along[name]).sum() for name, g in zip(leaves, found, strict=True))
        return found

    return derivative


def dual(function: Function, inputs: Inputs, along: Inputs) -> Any:
    """Dual tensors, under ``no_grad``: no node of autograd carries the tangent."""
    with torch.no_grad(), forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(inputs[name], along[name]) for name in inputs}
        return tuple(forward_ad.unpack_dual(function(duals)))


def reverse_over_dual(function: Function, inputs: Inputs, along: Inputs) -> Any:
    """The gradient of a tangent, both at the same level."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    with forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(leaves[name], along[name]) for name in inputs}
        tangent = forward_ad.unpack_dual(weighted(function)(duals)).tangent
        assert tangent is not None
        return torch.autograd.grad(tangent, list(leaves.values()), materialize_grads=True)


def over_x(transform: Callable[[Callable[[Tensor], Tensor]], Any], scalar: bool) -> Derivative:
    """A transform whose results are large, over the input alone."""

    def derivative(function: Function, inputs: Inputs, along: Inputs) -> Any:
        chosen = weighted(function) if scalar else function
        return transform(lambda x: chosen({**inputs, "x": x}))(inputs["x"])

    return derivative


DERIVATIVES: dict[str, Derivative] = {
    "second": repeated(2),
    "third": repeated(3),
    "grad": lambda f, x, v: grad(weighted(f))(x),
    "grad of grad": lambda f, x, v: grad(lambda x: weighted(grad_row(f))(x))(x),
    "jvp": lambda f, x, v: jvp(f, (x,), (v,)),
    "jvp of jvp": lambda f, x, v: jvp(lambda x: jvp(f, (x,), (v,))[1], (x,), (v,)),
    "jvp of grad": lambda f, x, v: jvp(grad(weighted(f)), (x,), (v,)),
    "grad of jvp": lambda f, x, v: grad(lambda x: jvp(weighted(f), (x,), (v,))[1])(x),
    "jvp of a finished vjp": lambda f, x, v: jvp(
        vjp(f, x)[1], (torch.ones_like(f(x)),), (torch.ones_like(f(x)),)
    ),
    "dual": dual,
    "reverse over dual": reverse_over_dual,
    "jacrev": over_x(jacrev, scalar=False),
    "jacfwd": over_x(jacfwd, scalar=False),
    "hessian": over_x(hessian, scalar=True),
    "jacrev of jacrev": over_x(lambda f: jacrev(jacrev(f)), scalar=True),
    "jacrev of jacfwd": over_x(lambda f: jacrev(jacfwd(f)), scalar=True),
}


def grad_row(function: Function) -> Function:
    return lambda inputs: torch.cat(
        [g.flatten() for g in grad(weighted(function))(inputs).values()]
    )


@pytest.mark.parametrize("name", DERIVATIVES)
@settings(max_examples=8)
@given(problem=problems())
def test_derivatives(name: str, problem: Problem) -> None:
    along = problem.directions()
    ours = DERIVATIVES[name](problem.ours, problem.inputs, along)
    oracle = DERIVATIVES[name](problem.oracle, problem.inputs, along)
    compare(ours, oracle, f"{name} of {problem}")


def compare(ours: Any, oracle: Any, name: str) -> None:
    """Trees of tensors."""
    for number, pair in enumerate(zip(tree_leaves(ours), tree_leaves(oracle), strict=True)):
        assert_equal_to_oracle(*pair, f"{name}, result {number}", GRADIENT)


MAPPED: dict[str, Callable[[Function], Callable[[Inputs], Any]]] = {
    "values": lambda f: f,
    "gradients": lambda f: grad(weighted(f)),
    "tangents": lambda f: lambda x: jvp(f, (x,), (x,)),
    "second derivatives": lambda f: grad(lambda x: weighted(grad_row(f))(x)),
}


@pytest.mark.parametrize("over", ["inputs", "weights", "everything"])
@pytest.mark.parametrize("name", MAPPED)
@settings(max_examples=5)
@given(problem=problems())
def test_vmap(name: str, over: str, problem: Problem) -> None:
    """What is mapped over against one element after the other."""
    chosen = {
        key
        for key in problem.inputs
        if over == "everything" or (over == "weights") == key.isdigit()
    }
    many = {
        key: torch.stack([value, value.cos(), -value], 1) if key in chosen else value
        for key, value in problem.inputs.items()
    }
    dims = {key: 1 if key in chosen else None for key in many}
    function = MAPPED[name](problem.ours)
    together = vmap(function, in_dims=(dims,))(many)
    for n in range(3):
        one = {key: value.select(1, n) if key in chosen else value for key, value in many.items()}
        element = [leaf[n] for leaf in tree_leaves(together)]
        compare(element, MAPPED[name](problem.oracle)(one), f"{name} over {over} of {problem}")


@settings(max_examples=5)
@given(problem=problems())
def test_gradient_of_vmap(problem: Problem) -> None:
    many = torch.stack([problem.inputs["x"], -problem.inputs["x"]])
    stacked = problem.inputs | {"x": many}

    def mapped(function: Function) -> Function:
        dims = {key: 0 if key == "x" else None for key in problem.inputs}
        return lambda inputs: vmap(weighted(function), in_dims=(dims,))(inputs)

    def looped(inputs: Inputs) -> Tensor:
        parts = [weighted(problem.oracle)({**inputs, "x": x}) for x in inputs["x"]]
        return torch.stack(parts)

    compare(
        grad(weighted(mapped(problem.ours)))(stacked), grad(weighted(looped))(stacked), str(problem)
    )
