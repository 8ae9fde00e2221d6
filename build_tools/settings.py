"""The environment variables that the build reads."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from build_tools.errors import stop

DEFAULT_CUDA_ARCHS = ("sm_80", "sm_86", "sm_89", "sm_90a", "sm_100")
_ARCH = re.compile(r"sm_[1-9][0-9]+[af]?")


@dataclass(frozen=True)
class Settings:
    """What the user asked the build for.

    Attributes:
        cuda: "auto" (compile the CUDA kernels where nvcc is found), "0" (never) or "1" (must).
        cuda_archs: names as nvcc spells them, such as "sm_90a".
        cuda_archs_asked: whether the user named the architectures.
        werror: whether compiler warnings are errors.
        sanitize: whether to compile for the address and undefined-behaviour sanitizers.
    """

    cuda: str = "auto"
    cuda_archs: tuple[str, ...] = DEFAULT_CUDA_ARCHS
    cuda_archs_asked: bool = False
    werror: bool = False
    sanitize: bool = False


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the build variables.

    Args:
        environ: the environment, ``os.environ`` by default.

    Raises:
        SystemExit: a variable has a value outside of those listed in the error.
    """
    environ = os.environ if environ is None else environ
    cuda = _choice(environ, "LRCN_FAST_CUDA", "auto", ("auto", "0", "1"))
    werror = _choice(environ, "LRCN_FAST_WERROR", "0", ("0", "1"))
    sanitize = _choice(environ, "LRCN_FAST_SANITIZE", "0", ("0", "1"))
    asked = environ.get("LRCN_FAST_CUDA_ARCHS", "").strip()
    archs = tuple(arch for arch in re.split(r"[;,\s]+", asked) if arch) or DEFAULT_CUDA_ARCHS
    for arch in archs:
        if not _ARCH.fullmatch(arch):
            stop(
                f"LRCN_FAST_CUDA_ARCHS={asked!r}: {arch!r} is no GPU architecture; "
                "expected names such as sm_80;sm_90a"
            )
    return Settings(cuda, archs, bool(asked), werror == "1", sanitize == "1")


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = environ.get(name, "").strip().lower() or default
    if value not in allowed:
        stop(f"{name}={environ[name]!r}: expected one of {', '.join(allowed)}")
    return value
