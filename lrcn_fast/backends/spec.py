"""What a backend has to know about a call, without any tensor."""

from dataclasses import dataclass

import torch

__all__ = ["LstmSpec"]


@dataclass(frozen=True)
class LstmSpec:
    """An LSTM call.

    Attributes:
        device_type: type of the device of all tensors, such as ``"cpu"``.
        dtype: dtype of the input and the weights.
        hidden_size: H.
        proj_size: P with a projection, else 0.
    """

    device_type: str
    dtype: torch.dtype
    hidden_size: int
    proj_size: int = 0

    def __str__(self) -> str:
        projection = f", proj_size={self.proj_size}" if self.proj_size else ""
        dtype = str(self.dtype).removeprefix("torch.")
        sizes = f"hidden_size={self.hidden_size}{projection}"
        return f"LSTM(device={self.device_type}, dtype={dtype}, {sizes})"
