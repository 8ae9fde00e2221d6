"""A caller may reset a state in place between the forward and the backward, as with torch's."""

import pytest
import torch
from torch import Tensor, nn

import lrcn_fast

RESETS = ["h", "c"]


def gradients(module: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in module.parameters()]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("given", [False, True], ids=["no_state", "state"])
def test_cell(backend: str, reset: str, given: bool) -> None:
    theirs, x = nn.LSTMCell(3, 4, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    ours = lrcn_fast.LSTMCell(3, 4, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    hx = tuple(torch.randn(2, 2, 4, dtype=torch.float64)) if given else None
    h, c = theirs(x, hx)
    (h if reset == "c" else c).sum().backward()
    with lrcn_fast.use_backend(backend):
        h, c = ours(x, hx)
        (c if reset == "c" else h).mul_(0)
        (h if reset == "c" else c).sum().backward()
    for mine, expected in zip(gradients(ours), gradients(theirs), strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("proj_size", [0, 2])
@pytest.mark.parametrize(
    "steps, reset", [(1, "h"), (1, "c"), (1, "output"), (1, "cells"), (3, "h"), (3, "c")]
)
def test_sequence(backend: str, reset: str, proj_size: int, steps: int) -> None:
    options = {"proj_size": proj_size, "dtype": torch.float64}
    module, x = lrcn_fast.LSTM(3, 4, **options), torch.randn(steps, 2, 3, dtype=torch.float64)

    def run(name: str | None) -> list[Tensor]:
        module.zero_grad()
        output, (h_n, c_n), cells = module(x, return_cells=True)
        results = {"output": output, "h": h_n, "c": c_n, "cells": cells}
        if name is not None:
            results[name].mul_(0)
        sum(value.sum() for key, value in results.items() if key != reset).backward()
        return gradients(module)

    with lrcn_fast.use_backend(backend):
        expected = [grad.clone() for grad in run(None)]
        for mine, wanted in zip(run(reset), expected, strict=True):
            torch.testing.assert_close(mine, wanted)


@pytest.mark.parametrize("reset", RESETS)
def test_final_states_do_not_share_memory_with_the_output(reset: str) -> None:
    module = lrcn_fast.LSTM(3, 4, num_layers=2, bidirectional=True)
    output, (h_n, c_n) = module(torch.randn(1, 2, 3))
    kept = output.detach().clone()
    (h_n if reset == "h" else c_n).mul_(0)
    assert torch.equal(output, kept)
    output.sum().backward()
    assert all(grad is not None and grad.isfinite().all() for grad in gradients(module))
