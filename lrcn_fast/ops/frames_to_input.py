"""``lrcn_fast::frames_to_input``: native, ``_triton``, ``_reference``.

Pixels to the input of a convolution; see :mod:`lrcn_fast.reference.frames_to_input`.
"""

from typing import Any

import torch
from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor frames, Tensor? offsets, Tensor? mirror, Tensor? mean_image, float[] mean, "
    "float[] scale, SymInt height, SymInt width, bool swap_rb, int flow_channel, "
    "bool channels_last, ScalarType dtype) -> Tensor"
)


def _fake(
    frames: Tensor,
    offsets: Tensor | None,
    mirror: Tensor | None,
    mean_image: Tensor | None,
    mean: list[float],
    scale: list[float],
    height: int,
    width: int,
    swap_rb: bool,
    flow_channel: int,
    channels_last: bool,
    dtype: torch.dtype,
) -> Tensor:
    count, channels = frames.shape[0], frames.shape[3]
    if channels_last:
        result = frames.new_empty((count, height, width, channels), dtype=dtype)
        return result.permute(0, 3, 1, 2)
    return frames.new_empty((count, channels, height, width), dtype=dtype)


def _triton(*arguments: Any) -> Tensor:
    from lrcn_fast import triton_kernels

    result: Tensor = triton_kernels.frames_to_input(*arguments)
    return result


_library.define_undifferentiable(
    "frames_to_input",
    _library.Half(_SIGNATURE, _fake, {"_triton": _triton, "_reference": reference.frames_to_input}),
)
