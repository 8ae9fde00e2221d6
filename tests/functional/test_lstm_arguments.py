"""Any arguments of functional.lstm: the result is the reference's, or an error names one."""

from typing import Any

import torch
from hypothesis import given, settings
from torch import Tensor

from lrcn_fast import LSTM, functional
from tests.helpers.damage import assert_same_outcome, damaged, names_an_argument, outcome, tensors


def floats(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def good() -> dict[str, Any]:
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 2}
    module = LSTM(4, 6, static_size=3, dtype=torch.float64, **options)
    return {
        "input": floats(5, 3, 4),
        "hx": [floats(4, 3, 2), floats(4, 3, 6)],
        "params": [parameter.detach() for parameter in module._params()],
        **options,
        "bias": True,
        "batch_first": False,
        "dropout": 0.0,
        "training": True,
        "cont": torch.rand(5, 3) < 0.7,
        "static": floats(3, 3),
        "lengths": torch.tensor([5, 2, 0]),
        "return_cells": True,
        "recompute_every": 2,
        "backend": "native",
    }


def in_training(**arguments: Any) -> Any:
    """``recompute_every`` does something only where a gradient is asked for."""
    for parameter in tensors(arguments["params"]):
        parameter.requires_grad_(parameter.is_floating_point())
    return functional.lstm(**arguments)


def test_good_arguments() -> None:
    output = in_training(**good())[0]
    assert output.shape == (5, 3, 4)
    assert output.requires_grad


@settings(max_examples=300)
@given(damaged(good()))
def test_any_arguments(arguments: dict[str, Any]) -> None:
    ours = outcome(in_training, **arguments)
    if names_an_argument(ours, arguments):
        return
    reference = arguments | {"backend": "reference", "recompute_every": None}
    assert_same_outcome(ours, outcome(in_training, **reference))
