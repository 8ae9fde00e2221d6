"""Whether GPU code that was compiled for some architectures runs on a GPU."""

import re
from collections.abc import Sequence

import torch

from lrcn_fast._constant import constant_when_traced

__all__ = ["missing_for", "present_gpus", "runs_on"]

# What the kernels are written for: asynchronous copies and bfloat16 tensor cores.
OLDEST = (8, 0)


def runs_on(archs: Sequence[str], capability: tuple[int, int]) -> bool:
    """Return whether a build has code for a GPU.

    Args:
        archs: names as nvcc spells them, such as ("sm_80", "sm_90a").
        capability: of the GPU, such as (9, 0).

    Machine code runs on later GPUs of the same major number, with a trailing "a" on its own GPU
    alone and with "f" on its family; the newest plain architecture is there as PTX too, which
    the driver compiles for all later GPUs.
    """
    if capability < OLDEST:
        return False
    plain: list[tuple[int, int]] = []
    for arch in archs:
        match = re.fullmatch(r"sm_(\d+)(\d)([af]?)", arch)
        if match is None:
            continue
        built = int(match[1]), int(match[2])
        if built == capability or (
            match[3] == "f" and built[0] == capability[0] and built < capability
        ):
            return True
        if not match[3]:
            plain.append(built)
    if any(built[0] == capability[0] and built <= capability for built in plain):
        return True
    return bool(plain) and max(plain) <= capability


@constant_when_traced
def present_gpus() -> tuple[tuple[int, int], ...]:
    """Return the capabilities of this machine's GPUs; empty where torch sees none."""
    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_capability(n) for n in range(torch.cuda.device_count()))


def missing_for(archs: Sequence[str]) -> str | None:
    """Return why a build with these architectures runs on none of the GPUs present, or None.

    On a machine with several kinds of GPU a call on one that is not supported fails by name.
    """
    if not archs:
        return "the extension was built without CUDA (no nvcc, or LRCN_FAST_CUDA=0)"
    gpus = present_gpus()
    if not gpus or any(runs_on(archs, gpu) for gpu in gpus):
        return None
    major, minor = max(gpus)
    if (major, minor) < OLDEST:
        return f"a GPU of compute capability {major}.{minor} is older than 8.0"
    return (
        f"the extension was built for {', '.join(archs)}, "
        f"not for a GPU of compute capability {major}.{minor} (LRCN_FAST_CUDA_ARCHS)"
    )
