"""Caffe's solver against its formula by hand, and where it parts from torch's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lrcn_fast.training import CaffeSGD, step_decay
from tests.helpers.tolerance import assert_equal_to_oracle


def trained(optimizer: torch.optim.Optimizer, w: Tensor, gradients: Tensor, size: int) -> Tensor:
    for step, gradient in enumerate(gradients):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * step_decay(step, size)
        w.grad = gradient.to(w.dtype)
        optimizer.step()
    return w.detach()


@given(
    st.integers(0, 99),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([0.1, 1.0, 2.0]),
)
def test_against_the_formula(
    seed: int, size: int, momentum: float, decay: float, lr_mult: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    gradients = torch.randn(9, 5, generator=random).double()
    start = torch.randn(5, generator=random).double()
    w, v = start.clone(), torch.zeros(5).double()
    for step in range(9):
        rate = 0.1 * 0.5 ** (step // size) * lr_mult
        v = momentum * v + rate * (gradients[step] + decay * 3.0 * w)
        w = w - v
    parameter = start.clone().requires_grad_()
    group = {"params": [parameter], "lr_mult": lr_mult, "decay_mult": 3.0}
    optimizer = CaffeSGD([group], 0.1, momentum, decay)
    assert_equal_to_oracle(trained(optimizer, parameter, gradients, size), w, "w")


def test_it_parts_from_torch_where_the_rate_changes() -> None:
    gradients = torch.ones(6, 3).double()

    def run(kind: type[torch.optim.Optimizer], size: int) -> Tensor:
        w = torch.zeros(3).double().requires_grad_()
        return trained(kind([w], lr=0.1, momentum=0.9), w, gradients, size)  # type: ignore[call-arg]

    assert_equal_to_oracle(run(CaffeSGD, 100), run(torch.optim.SGD, 100), "constant rate")
    assert float((run(CaffeSGD, 2) - run(torch.optim.SGD, 2)).abs().max()) > 0.01


def test_what_has_no_gradient_stays() -> None:
    w = torch.ones(2, requires_grad=True)
    CaffeSGD([w], 0.1, weight_decay=0.5).step()
    assert torch.equal(w, torch.ones(2))


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"momentum": 1.0}, {"weight_decay": -0.1}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        CaffeSGD([torch.ones(2)], **{"lr": 0.1, **wrong})
