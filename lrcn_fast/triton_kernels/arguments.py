"""Checks of the operators' arguments; every error names operator, argument, what came and why not.

Nothing here waits for the device: lengths outside 0..T are taken for the nearer end of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn_fast._arguments import describe

__all__ = ["DTYPES", "Shape", "check", "check_gates", "dense", "lstm_shape", "unit_stride"]

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Shape:
    """Sizes of a call: T steps, B rows, H units, P recurrent width."""

    steps: int
    batch: int
    hidden: int
    width: int
    batch_first: bool

    def sequence(self, like: Tensor, features: int) -> Tensor:
        """Uninitialised dense sequence (T, B, features), or (B, T, features)."""
        return like.new_empty(self.outer(features))

    def outer(self, features: int) -> tuple[int, int, int]:
        """The shape of a sequence."""
        outer = (self.batch, self.steps) if self.batch_first else (self.steps, self.batch)
        return (*outer, features)

    def strides(self, sequence: Tensor | None) -> tuple[int, int]:
        """Strides of a sequence from step to step and from row to row."""
        if sequence is None:
            return 0, 0
        time = 1 if self.batch_first else 0
        return sequence.stride(time), sequence.stride(1 - time)


def unit_stride(tensor: Tensor | None) -> Tensor | None:
    """The tensor, copied where its last dimension is not dense."""
    return tensor if tensor is None or tensor.stride(-1) == 1 else tensor.contiguous()


def dense(tensor: Tensor | None) -> Tensor | None:
    """The tensor, copied where it is not contiguous."""
    return None if tensor is None else tensor.contiguous()


def check(
    operator: str,
    name: str,
    tensor: Tensor | None,
    like: Tensor,
    shape: tuple[int, ...],
    letters: str,
    dtype: torch.dtype | None = None,
) -> None:
    """Check an argument, if given, against its shape and the dtype and device of ``like``.

    Raises:
        ValueError: the shape or the device is wrong.
        TypeError: the dtype is wrong.
    """
    if tensor is None:
        return
    start = f"lrcn_fast::{operator}_triton: argument {name!r} must"
    if tensor.shape != shape:
        raise ValueError(f"{start} have shape {letters} = {shape}, got {describe(tensor)}")
    if tensor.device != like.device:
        raise ValueError(f"{start} be on {like.device}, got {describe(tensor)}")
    if tensor.dtype != (dtype or like.dtype):
        raise TypeError(f"{start} have dtype {dtype or like.dtype}, got {describe(tensor)}")


def check_gates(operator: str, name: str, gates: Tensor, letters: str) -> None:
    """Check the argument that sets the sizes and the dtype of all others: (.., 4H)."""
    start = f"lrcn_fast::{operator}_triton: argument {name!r} must"
    if gates.dim() != letters.count(",") + 1:
        raise ValueError(f"{start} have the dimensions {letters}, got {describe(gates)}")
    if gates.dtype not in DTYPES:
        raise TypeError(f"{start} be float32, bfloat16 or float16, got {describe(gates)}")
    if gates.shape[-1] % 4 or gates.shape[-1] == 0:
        raise ValueError(f"{start} have a multiple of 4 as last size 4H, got {describe(gates)}")


def lstm_shape(
    operator: str,
    name: str,
    gates: Tensor,
    weight_hh: Tensor,
    weight_hr: Tensor | None,
    cont: Tensor | None,
    lengths: Tensor | None,
    batch_first: bool,
) -> Shape:
    """Check what forward and backward share, and return the sizes."""
    check_gates(operator, name, gates, "(B, T, 4H)" if batch_first else "(T, B, 4H)")
    batch, steps = gates.shape[:2] if batch_first else (gates.shape[1], gates.shape[0])
    if steps < 1:
        raise ValueError(
            f"lrcn_fast::{operator}_triton: argument {name!r} must have at least one step, "
            f"got {describe(gates)}"
        )
    rows = gates.shape[2]
    if weight_hh.dim() != 2 or weight_hh.shape[1] < 1:
        raise ValueError(
            f"lrcn_fast::{operator}_triton: argument 'weight_hh' must be (4H, P) with at least one "
            f"column, got {describe(weight_hh)}"
        )
    width = rows // 4 if weight_hr is None else weight_hh.shape[1]
    check(operator, "weight_hh", weight_hh, gates, (rows, width), "(4H, P)")
    check(operator, "weight_hr", weight_hr, gates, (width, rows // 4), "(P, H)")
    outer, letters = ((batch, steps), "(B, T)") if batch_first else ((steps, batch), "(T, B)")
    check(operator, "cont", cont, gates, outer, letters, torch.bool)
    check(operator, "lengths", lengths, gates, (batch,), "(B,)", torch.int64)
    return Shape(steps, batch, rows // 4, width, batch_first)
