"""The correctness check that a case has to pass before its time is taken."""

from __future__ import annotations

import math

import torch

from tests.helpers import tolerance

from .peers import TORCH, Inputs, Job, Peer
from .shapes import Case


class GateError(AssertionError):
    """A result is too far from the float64 run, so that its time would mean nothing."""


def check(case: Case, peer: Peer, dtype: torch.dtype, seed: int = 0) -> dict[str, dict[str, float]]:
    """Compares ``peer`` and torch.nn.LSTM with a float64 run of torch.nn.LSTM on the same values.

    Outputs and final states are compared in every mode, the gradients of the input and of each
    weight in training. ``peer`` is held to the tolerance of the tests (twice torch's own error and
    a floor); torch itself to the square root of its dtype's resolution.

    Returns:
        By tensor, then by implementation: the largest error, over the largest magnitude.

    Raises:
        GateError: naming the case, the implementation, the tensor, its error and its bound.
    """
    inputs = Inputs.make(case.shape, dtype, seed)
    exact = Job(TORCH, case, inputs.to(torch.float64)).results()
    expected = Job(TORCH, case, inputs).results()
    try:
        actual = Job(peer, case, inputs).results()
    except (RuntimeError, TypeError, ValueError) as error:
        raise GateError(
            f"{case.name}: {peer.name} raised {type(error).__name__}: {error}"
        ) from error
    if actual.keys() != exact.keys():
        raise GateError(
            f"{case.name}: {peer.name} computed {sorted(actual)}, expected {sorted(exact)}"
        )
    sane = math.sqrt(torch.finfo(dtype).eps)
    errors = {}
    for name, truth in exact.items():
        magnitude = truth.abs().max().item() or 1.0
        torch_error = tolerance.max_error(expected[name], truth) / magnitude
        if torch_error > sane:
            raise GateError(
                f"{case.name}: {name} of torch has error {torch_error:.2e}, expected <= {sane:.2e}"
            )
        try:
            tolerance.assert_no_worse_than_torch(actual[name], expected[name], truth, name)
        except AssertionError as error:
            raise GateError(f"{case.name}: {peer.name}: {error}") from error
        errors[name] = {
            "torch": torch_error,
            peer.name: tolerance.max_error(actual[name], truth) / magnitude,
        }
    return errors
