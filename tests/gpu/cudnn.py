"""torch.nn.LSTM on the same numbers: how far torch's own kernels are from the truth."""

import warnings
from typing import Any

import torch
from torch import Tensor

from tests.helpers.cases import Case, Tensors


def can_express(case: Case) -> bool:
    """Whether torch.nn.LSTM has all that the case asks for; it takes no empty batch either."""
    return not (case.cont or case.lengths or case.static or case.B == 0)


def forward(tensors: Tensors) -> tuple[Tensor, Tensor, Tensor]:
    """``output``, ``h_n`` and ``c_n`` of a case that it can express."""
    return lstm(*tensors.forward_arguments())


def lstm(
    gates: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None,
    static_gates: None,
    h0: Tensor | None,
    c0: Tensor | None,
    cont: None,
    lengths: None,
    reverse: bool,
    batch_first: bool,
    *saves: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """torch.nn.LSTM behind the signature of ``lstm_forward``.

    The gates are its input, and its input weight is the identity, which multiplies exactly.
    """
    rows, width = weight_hh.shape
    module = torch.nn.LSTM(
        rows,
        rows // 4,
        bias=False,
        batch_first=batch_first,
        proj_size=0 if weight_hr is None else width,
        device=gates.device,
        dtype=gates.dtype,
    )
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.eye(rows))
    given = {"weight_hh_l0": weight_hh, "weight_hr_l0": weight_hr}
    weights = {name: weight for name, weight in given.items() if weight is not None}
    time = 1 if batch_first else 0
    state = None if h0 is None or c0 is None else (h0.unsqueeze(0), c0.unsqueeze(0))
    inputs = (gates.flip(time) if reverse else gates, state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
        output, (h_n, c_n) = torch.func.functional_call(module, weights, inputs)
    return output.flip(time) if reverse else output, h_n.squeeze(0), c_n.squeeze(0)
