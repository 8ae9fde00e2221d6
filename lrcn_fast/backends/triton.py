"""The Triton kernels: for GPUs, compiled there on the first call of each shape."""

import importlib.util
import os

import torch

from lrcn_fast.backends.spec import OpSpec, Spec

__all__ = ["device_types", "name", "priority", "probe", "suffix", "supports"]

name = "triton"
priority = 2
suffix = "_triton"
# The interpreter runs on the CPU too, but only for those who ask for it.
device_types = ("cuda",)

# Looked for once, because torch.compile traces the choice of a backend; imported on the first call.
_INSTALLED = importlib.util.find_spec("triton") is not None
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# Older GPUs lack bfloat16 and asynchronous copies.
_LEAST_CAPABILITY = (8, 0)


def probe() -> tuple[str, str] | None:
    """Return None where the backend is available, else the reason and what to do about it."""
    if not _INSTALLED:
        return "the package triton is not installed", "pip install triton"
    if _is_interpreted():
        return None
    if torch.version.hip is not None:
        return "it has never been tried on ROCm", "use the backend 'reference'"
    if not torch.cuda.is_available():
        return (
            "there is no GPU that torch can use",
            "use a machine with one and a torch built for CUDA",
        )
    if torch.compiler.is_compiling():
        # Only a running program can ask the GPU.
        return None
    capability = torch.cuda.get_device_capability()
    if capability < _LEAST_CAPABILITY:
        found = ".".join(map(str, capability))
        return (
            f"the GPU has compute capability {found}, and 8.0 is the least",
            "use a newer GPU, or the backend 'reference'",
        )
    return None


def supports(spec: Spec) -> str | None:
    """Return None, or why the call is not supported."""
    if spec.device_type == "cpu":
        if not _is_interpreted():
            return "it runs on the CPU under TRITON_INTERPRET=1 only, slowly, for tests"
    elif spec.device_type != "cuda":
        return f"device type {spec.device_type!r} is not a CUDA GPU"
    if isinstance(spec, OpSpec) and spec.op == "conv_frames":
        return "it has no kernel for it"
    if spec.dtype not in _DTYPES:
        return f"dtype {spec.dtype} is none of float32, bfloat16, float16"
    return None


def _is_interpreted() -> bool:
    """Whether Triton runs its kernels with NumPy; it reads the variable when they are imported."""
    return os.environ.get("TRITON_INTERPRET", "").strip().lower() in ("1", "true", "on", "yes", "y")
