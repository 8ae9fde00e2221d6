"""What a backend has to know about a call, without any tensor."""

from dataclasses import dataclass

import torch

__all__ = ["LstmSpec", "OpSpec", "Spec"]


@dataclass(frozen=True)
class Spec:
    """What all calls have.

    Attributes:
        device_type: type of the device of all tensors, such as ``"cpu"``.
        dtype: dtype of the result.
    """

    device_type: str
    dtype: torch.dtype

    def _text(self, name: str, sizes: str = "") -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{name}(device={self.device_type}, dtype={dtype}{sizes})"


@dataclass(frozen=True)
class LstmSpec(Spec):
    """An LSTM call.

    Attributes:
        hidden_size: H.
        proj_size: P with a projection, else 0.
    """

    hidden_size: int
    proj_size: int = 0

    def __str__(self) -> str:
        projection = f", proj_size={self.proj_size}" if self.proj_size else ""
        return self._text("LSTM", f", hidden_size={self.hidden_size}{projection}")


@dataclass(frozen=True)
class OpSpec(Spec):
    """A call of an operator that every backend takes in all sizes.

    Attributes:
        op: the operator's name.
    """

    op: str

    def __str__(self) -> str:
        return self._text(self.op)
