"""The solver of the LRCN release: Caffe's SGD, whose learning rate is inside the velocity."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["CaffeSGD", "step_decay"]


class CaffeSGD(torch.optim.Optimizer):
    """v = momentum v + lr lr_mult (g + weight_decay decay_mult w), then w = w - v.

    torch.optim.SGD multiplies the velocity by the learning rate of the step instead, so the two
    part where the rate changes (``sgd_solver.cpp``). Groups may have an ``lr_mult`` and a
    ``decay_mult`` of their own. Gradients are clipped before, by the loop, as in Caffe.

    Args:
        params: parameters, or groups of them.
        lr: the rate of the solver; schedules change it.
        momentum: of the velocity.
        weight_decay: L2.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"lr: expected a number of at least 0, got {lr}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected 0 <= m < 1, got {momentum}")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay: expected a number of at least 0, got {weight_decay}")
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "lr_mult": 1.0, "decay_mult": 1.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rate = group["lr"] * group["lr_mult"]
            decay = group["weight_decay"] * group["decay_mult"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["velocity"] = torch.zeros_like(parameter)
                velocity = state["velocity"].mul_(group["momentum"])
                velocity.add_(parameter.grad, alpha=rate)
                if decay:
                    velocity.add_(parameter, alpha=rate * decay)
                parameter.sub_(velocity)
        return loss


def step_decay(step: int, size: int, gamma: float = 0.5) -> float:
    """Factor on the learning rate at ``step``: gamma once more every ``size`` (Caffe's "step")."""
    return float(gamma ** (step // size))
