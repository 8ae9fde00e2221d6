"""The compiled kernels of ``lrcn_fast._C``."""

import torch

from lrcn_fast import _loader
from lrcn_fast._constant import constant_when_traced
from lrcn_fast.backends import cuda_archs
from lrcn_fast.backends.spec import OpSpec, Spec

__all__ = ["device_types", "name", "priority", "probe", "suffix", "supports"]

name = "native"
priority = 3
# Its operators are those of torch.ops.lrcn_fast without a suffix.
suffix = ""
device_types = ("cpu", "cuda", "meta")

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def probe() -> tuple[str, str] | None:
    """Return None where the backend is available, else the reason and what to do about it."""
    if _loader.load() is not None:
        return None
    reason, _, fix = str(_loader.reason).partition(": ")
    return reason, fix


@constant_when_traced
def _cuda_obstacle() -> str | None:
    extension = _loader.load()
    built = "" if extension is None else extension.build_info()["cuda_archs"]
    return cuda_archs.missing_for([arch for arch in built.split(";") if arch])


def supports(spec: Spec) -> str | None:
    """Return None, or why the call is not supported."""
    if spec.device_type not in device_types:
        return f"there is no kernel for device type {spec.device_type!r}, only for 'cpu' and 'cuda'"
    if spec.dtype not in _DTYPES:
        return f"dtype {spec.dtype} is none of float32, float64, bfloat16, float16"
    if isinstance(spec, OpSpec) and spec.op == "conv_frames" and spec.device_type == "cpu":
        return "it has a CUDA kernel for it alone"
    return _cuda_obstacle() if spec.device_type == "cuda" else None
