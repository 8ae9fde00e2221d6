"""``lrcn_fast::conv_frames``: native (CUDA alone) and ``_reference``.

The first layer of CaffeNet and of the hybrid net on pixels; see
:mod:`lrcn_fast.reference.conv_frames`. Experimental: nothing calls it unasked.
"""

from torch import Tensor

from lrcn_fast import reference
from lrcn_fast.ops import _library

__all__: list[str] = []

_SIGNATURE = (
    "(Tensor frames, Tensor? offsets, Tensor? mirror, Tensor weight, Tensor bias, int stride, "
    "SymInt height, SymInt width, float alpha, float beta, float k) -> Tensor"
)


def _fake(
    frames: Tensor,
    offsets: Tensor | None,
    mirror: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    stride: int,
    height: int,
    width: int,
    alpha: float,
    beta: float,
    k: float,
) -> Tensor:
    # Windows of 3 at stride 2 over so many positions, the last of which may hang over the edge.
    rows, columns = (((size - weight.shape[2]) // stride + 1) // 2 for size in (height, width))
    return weight.new_empty((frames.shape[0], rows, columns, weight.shape[0])).permute(0, 3, 1, 2)


_library.define_undifferentiable(
    "conv_frames",
    _library.Half(_SIGNATURE, _fake, {"_reference": reference.conv_frames}),
)
