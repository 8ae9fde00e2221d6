"""The correctness check that a case has to pass before its time is taken."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.helpers import tolerance

from .contenders import oracle_of, ours
from .peers import Inputs, Peer
from .shapes import Case


class GateError(AssertionError):
    """A result is too far from the float64 run, so that its time would mean nothing."""


class Oracle:
    """A case in float64 and as torch computes it in ``dtype``, for any number of peers."""

    def __init__(
        self,
        case: Case,
        dtype: torch.dtype,
        seed: int = 0,
        device: torch.device | str = "cpu",
        resolution: float | None = None,
    ) -> None:
        """``resolution`` is that of the products where it is not ``dtype``'s own, as in TF32."""
        self.case = case
        self.sane = math.sqrt(resolution or torch.finfo(dtype).eps)
        self.inputs = Inputs.make(case.shape, dtype, seed, device)
        self.plainest = oracle_of(case)
        self.exact = self.plainest.start(case, self.inputs.to(torch.float64)).results()
        self.expected = self.plainest.start(case, self.inputs).results()

    def check(self, peer: Peer) -> dict[str, dict[str, float]]:
        """Runs ``peer`` and compares; see :func:`check`."""
        return self.compare(peer.name, self._run(peer))

    def check_of_torch(self, way: Peer) -> dict[str, dict[str, float]]:
        """A way to do it with torch, which is held to what torch is held to."""
        actual = self.expected if way == self.plainest else self._run(way)
        return compare(self.case.name, way.name, actual, actual, self.exact, self.sane)

    def _run(self, peer: Peer) -> dict[str, Tensor]:
        try:
            return peer.start(self.case, self.inputs).results()
        except (RuntimeError, TypeError, ValueError) as error:
            raise GateError(
                f"{self.case.name}: {peer.name} raised {type(error).__name__}: {error}"
            ) from error

    def compare(self, name: str, actual: dict[str, Tensor]) -> dict[str, dict[str, float]]:
        """Compares results that the peer called ``name`` has computed; see :func:`check`."""
        return compare(self.case.name, name, actual, self.expected, self.exact, self.sane)


def compare(
    case: str,
    name: str,
    actual: dict[str, Tensor],
    expected: dict[str, Tensor],
    exact: dict[str, Tensor],
    sane: float,
) -> dict[str, dict[str, float]]:
    """Compares what a peer computed in a case with float64, beside what torch computed.

    ``sane`` bounds torch's own error; the rest is as in :func:`check`.
    """
    if actual.keys() != exact.keys():
        raise GateError(f"{case}: {name} computed {sorted(actual)}, expected {sorted(exact)}")
    errors = {}
    for tensor, truth in exact.items():
        magnitude = truth.abs().max().item() or 1.0
        torch_error = tolerance.max_error(expected[tensor], truth) / magnitude
        if not torch_error <= sane:
            raise GateError(
                f"{case}: {tensor} of torch has error {torch_error:.2e}, expected <= {sane:.2e}"
            )
        try:
            tolerance.assert_no_worse_than_torch(actual[tensor], expected[tensor], truth, tensor)
        except AssertionError as error:
            raise GateError(f"{case}: {name}: {error}") from error
        errors[tensor] = {
            "torch": torch_error,
            name: tolerance.max_error(actual[tensor], truth) / magnitude,
        }
    return errors


def check(case: Case, peer: Peer, dtype: torch.dtype, seed: int = 0) -> dict[str, dict[str, float]]:
    """Compares ``peer`` and torch.nn.LSTM with a float64 run of torch.nn.LSTM on the same values.

    Outputs and final states are compared in every mode, the gradients of the input and of each
    weight in training. ``peer`` has lrcn_fast's modules or what stands in for them, and is held to
    the tolerance of the tests (twice torch's own error and a floor); torch itself to the square
    root of its dtype's resolution.

    Returns:
        By tensor, then by implementation: the largest error, over the largest magnitude.

    Raises:
        GateError: naming the case, the implementation, the tensor, its error and its bound.
    """
    return Oracle(case, dtype, seed).check(ours(case, peer))
