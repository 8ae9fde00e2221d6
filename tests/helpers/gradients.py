"""Gradients of an LSTM operator through autograd."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.helpers.cases import Tensors

OUTPUTS = ("output", "h_n", "c_n", "cells")
"""What ``lstm_forward`` returns and a gradient can come in at."""


def gradients(
    op: Callable[..., Any], tensors: Tensors, outputs: tuple[str, ...], *more: int
) -> dict[str, Tensor]:
    """Gradient of the weighted sum of some outputs at every differentiable input.

    Args:
        op: takes the arguments of ``lstm_forward``.
        tensors: a case; its gradients are the weights.
        outputs: some of ``OUTPUTS``.
        more: further arguments of ``op``.
    """
    inputs = {k: v.detach().requires_grad_() for k, v in tensors.differentiable().items()}
    leaves = Tensors(**{**vars(tensors), **inputs})
    results = op(*leaves.forward_arguments(), True, True, *more)
    found = torch.autograd.grad(
        [results[OUTPUTS.index(name)] for name in outputs],
        list(inputs.values()),
        [getattr(tensors, f"grad_{name}") for name in outputs],
        materialize_grads=True,
    )
    return dict(zip(inputs, found, strict=True))
