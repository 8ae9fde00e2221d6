"""Caffe's fillers: how a layer's parameters begin."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrcn_fast.caffe.errors import CaffeError

__all__ = ["Filler"]

FAN_IN, FAN_OUT = 0, 1
TYPES = ("constant", "gaussian", "msra", "uniform", "xavier")


@dataclass(frozen=True)
class Filler:
    """A filler, as FillerParameter has it."""

    type: str
    value: float
    low: float
    high: float
    mean: float
    std: float
    variance_norm: int

    @classmethod
    def of(cls, parameter: Any) -> "Filler":
        """Take over a FillerParameter.

        Raises:
            CaffeError: the type is not one of ``TYPES``, it is sparse, or its bounds make no sense.
        """
        if parameter.type not in TYPES:
            raise CaffeError(f"filler: expected one of {TYPES}, got {parameter.type!r}")
        if parameter.sparse >= 0:
            raise CaffeError("filler: sparse gaussian fillers are not supported")
        if not (parameter.std >= 0 and -math.inf < parameter.min <= parameter.max < math.inf):
            raise CaffeError(
                f"filler: expected std >= 0 and min <= max, got {parameter.std}, "
                f"{parameter.min} and {parameter.max}"
            )
        return cls(
            parameter.type,
            parameter.value,
            parameter.min,
            parameter.max,
            parameter.mean,
            parameter.std,
            parameter.variance_norm,
        )

    @torch.no_grad()
    def fill(self, blob: Tensor) -> None:
        """Draw the values of a blob; its first axis counts outputs."""
        if self.type == "constant":
            blob.fill_(self.value)
        elif self.type == "uniform":
            blob.uniform_(self.low, self.high)
        elif self.type == "gaussian":
            blob.normal_(self.mean, self.std)
        elif self.type == "xavier":
            bound = math.sqrt(3 / self._fan(blob))
            blob.uniform_(-bound, bound)
        else:
            blob.normal_(0, math.sqrt(2 / self._fan(blob)))

    def _fan(self, blob: Tensor) -> float:
        fans: list[float] = [blob.numel() / size for size in (*blob.shape, 1)[:2]]
        if self.variance_norm in (FAN_IN, FAN_OUT):
            return fans[self.variance_norm]
        return sum(fans) / 2
