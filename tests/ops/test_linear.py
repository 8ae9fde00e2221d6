"""The projection operator against torch.nn.functional.linear."""

from itertools import product

import pytest
import torch

import lrcn_fast.ops  # noqa: F401
from tests.helpers.tolerance import assert_equal_to_oracle, assert_no_worse_than_torch

OPS = torch.ops.lrcn_fast
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
MAPPED = [dims for dims in product([None, 0, 1], repeat=3) if dims != (None, None, None)]
SHAPES = [
    (5, 3, 8),
    (1, 1, 1),
    (0, 2, 3),
    (4, 0, 3),
    (7, 6),
    (2, 3, 4, 5),
    (3, 40, 33),
    (70, 100, 100),
]


def project_and_compare(tensors: list[torch.Tensor]) -> None:
    """Output and gradients of the operator on an input, a weight and perhaps a bias."""
    leaves = [t.detach().clone(memory_format=torch.preserve_format) for t in tensors]
    exact_leaves = [t.double().requires_grad_() for t in leaves]
    missing = [None] * (3 - len(tensors))
    ours = OPS.linear(*(t.requires_grad_() for t in leaves), *missing)
    weights = torch.randn(ours.shape).to(ours.dtype)
    exact = torch.nn.functional.linear(*exact_leaves)
    exact_gradients = torch.autograd.grad(exact, exact_leaves, weights.double())
    gradients = torch.autograd.grad(ours, leaves, weights)
    torchs = torch.nn.functional.linear(*leaves)
    torch_gradients = torch.autograd.grad(torchs, leaves, weights)
    assert_no_worse_than_torch(ours, torchs, exact, "output")
    for name, *results in zip(("x", "w", "b"), gradients, torch_gradients, exact_gradients):
        assert_no_worse_than_torch(*results, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_values_and_gradients(
    shape: tuple[int, ...], with_bias: bool, transposed: bool, dtype: torch.dtype
) -> None:
    x = torch.randn(shape).to(dtype)
    if transposed and x.dim() > 2:
        x = x.transpose(0, 1)
    tensors = [x, torch.randn(12, shape[-1]).to(dtype)]
    if with_bias:
        tensors.append(torch.randn(12).to(dtype))
    project_and_compare(tensors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("depth", [333, 1025])
def test_large_products(depth: int, with_bias: bool, dtype: torch.dtype) -> None:
    """Large enough for the library that small products do not take."""
    x, weight = torch.randn(40, 17, depth), torch.randn(131, depth) / depth**0.5
    tensors = [x.transpose(0, 1), weight] + [torch.randn(131)] * with_bias
    project_and_compare([t.to(dtype) for t in tensors])


@pytest.mark.parametrize("dims", MAPPED, ids=str)
def test_vmap(dims: tuple[int | None, ...]) -> None:
    """Whatever is mapped, over whichever dimension, against one element after the other."""
    shapes = ((2, 3, 4), (5, 4), (5,))
    tensors = [
        torch.randn(shape if dim is None else (*shape[:dim], 6, *shape[dim:]), dtype=torch.float64)
        for shape, dim in zip(shapes, dims, strict=True)
    ]
    together = torch.func.vmap(OPS.linear, dims)(*tensors)
    for n in range(6):
        one = [x if dim is None else x.select(dim, n) for x, dim in zip(tensors, dims, strict=True)]
        expected = torch.nn.functional.linear(*one)
        assert_equal_to_oracle(together[n], expected, f"element {n}")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_alias(dtype: torch.dtype) -> None:
    x = torch.randn(4, 3).to(dtype)
    before = x.clone()
    OPS.linear(x, torch.eye(3).to(dtype), None).fill_(7)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    "x, weight, bias",
    [
        (torch.zeros(3, 4), torch.zeros(5, 3), None),
        (torch.zeros(3, 4), torch.zeros(5, 4), torch.zeros(4)),
        (torch.zeros(3, 4), torch.zeros(5, 4).double(), None),
    ],
)
def test_bad_arguments(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        OPS.linear(x, weight, bias)
