"""Rows of relu_max_pool_lrn: what follows conv1 and conv2 of CaffeNet and of the hybrid net."""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from .rows import OURS, TORCH, Problem, Results, Row

COMPILED = "torch.compile"
SIZES = {
    "caffenet-1": (16, 96, 55, 55),
    "caffenet-2": (16, 256, 27, 27),
    "hybrid-1": (16, 96, 111, 111),
    "hybrid-2": (16, 384, 26, 26),
}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
LEAST = {False: 5.0, True: 4.0}
"""Times torch, without and with the backward."""


def in_torch(x: Tensor) -> Tensor:
    """As a user writes it."""
    pooled = functional.max_pool2d(functional.relu(x), 3, 2, ceil_mode=True)
    return functional.local_response_norm(pooled, 5, 1e-4, 0.75, 1.0)


def least_bytes(x: int, pooled: int, itemsize: int, training: bool) -> int:
    """Of x read and the output written once; then what is kept written, all of it read, grad_x."""
    if not training:
        return (x + pooled) * itemsize
    kept = pooled * (itemsize + 1)
    return (x + pooled) * itemsize + 2 * kept + (pooled + x) * itemsize


def build(
    size: tuple[int, int, int, int],
    form: torch.memory_format,
    training: bool,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Problem:
    """Maps as a convolution leaves them, of which half the values are negative."""
    from lrcn_fast.functional import relu_max_pool_lrn

    generator = torch.Generator().manual_seed(0)
    # Activations of conv1 and conv2 on images of 0..255.
    x = 100 * torch.randn(size, generator=generator)
    grad = torch.randn(in_torch(x).shape, generator=generator)
    x, grad = (each.to(device, dtype).contiguous(memory_format=form) for each in (x, grad))
    # Compiled code of earlier rows counts against a limit, beyond which torch runs eagerly.
    torch.compiler.reset()
    compiled = torch.compile(in_torch)

    def results(implementation: object, x: Tensor, grad: Tensor) -> Results:
        assert callable(implementation)
        if not training:
            with torch.inference_mode():
                return {"output": implementation(x)}
        # The measurement is in inference mode.
        with torch.inference_mode(False), torch.enable_grad():
            leaf = x.detach().requires_grad_()
            output = implementation(leaf)
            (grad_x,) = torch.autograd.grad(output, leaf, grad)
        return {"output": output.detach(), "grad_x": grad_x}

    calls = {OURS: relu_max_pool_lrn, TORCH: in_torch, COMPILED: compiled}
    return Problem(
        {name: functools.partial(results, call, x, grad) for name, call in calls.items()},
        results(in_torch, x.double(), grad.double()),
        least_bytes(x.numel(), grad.numel(), x.element_size(), training),
    )


ROWS = tuple(
    Row(
        f"{name}-{layout}{'-training' if training else ''}",
        f"{'x'.join(map(str, size))}, {layout}{', with its backward' if training else ''}",
        functools.partial(build, size, form, training),
        least=LEAST[training],
        against=TORCH,
    )
    for name, size in SIZES.items()
    for layout, form in FORMATS.items()
    for training in (False, True)
)
