"""Tensors as the NumPy arrays that the emulator takes, and back."""

import numpy as np
import torch
from torch import Tensor


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A tensor's values; those of bfloat16, which NumPy lacks, as the bits in uint16."""
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.uint16).numpy()
    return tensor.contiguous().numpy()


def to_torch(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """The tensor of ``dtype`` that :func:`to_numpy` made an array of."""
    tensor = torch.from_numpy(array)
    return tensor.view(dtype) if dtype == torch.bfloat16 else tensor


def rows(tensor: Tensor, gap: int = 3) -> np.ndarray:
    """A matrix (B, N) with ``gap`` elements between its rows, which are out of bounds."""
    array = to_numpy(tensor)
    wide = np.zeros((array.shape[0], array.shape[1] + gap), array.dtype)
    wide[:, : array.shape[1]] = array
    return wide[:, : array.shape[1]]


def like(dtype: torch.dtype, *shape: int) -> np.ndarray:
    """An output of this shape in which every value is NaN."""
    return to_numpy(torch.full(shape, torch.nan, dtype=dtype))


def as_it_lies(tensor: Tensor | None) -> np.ndarray | None:
    """A tensor's memory under its own strides; those of zero are laid out."""
    if tensor is None:
        return None
    array = np.asarray(tensor)
    return np.ascontiguousarray(array) if 0 in array.strides else array
