"""Loads the compiled extension, or says why it is missing and how to get it."""

import importlib
from types import ModuleType

import torch  # noqa: F401  The extension finds torch's libraries because they are loaded already.

from lrcn_fast import env

__all__ = ["extension", "load", "reason"]

_FIX = (
    "build it with `pip install --no-build-isolation .` in the folder of the sources; "
    "this needs a C++ compiler (Debian: apt-get install g++)"
)

extension: ModuleType | None = None
reason: str | None = None
_tried = False


def load() -> ModuleType | None:
    """Import ``lrcn_fast._C`` on the first call.

    Returns:
        The extension, or None; then ``reason`` says why, and how to get it.

    Raises:
        ValueError: LRCN_FAST_CPU_ISA asks for an instruction set that is unknown, or that this CPU
            or this build of the extension lacks; or LRCN_FAST_PERSISTENT has no such value.
    """
    global extension, reason, _tried
    if _tried:
        return extension
    isa, persistent = env.cpu_isa(), env.persistent()
    try:
        module = importlib.import_module("lrcn_fast._C")
    except ModuleNotFoundError as error:
        if error.name != "lrcn_fast._C":
            raise
        reason = f"the extension lrcn_fast._C is not built: {_FIX}"
    except ImportError as error:
        reason = f"the extension lrcn_fast._C does not load: {_FIX}; the loader said: {error}"
    else:
        if isa is not None:
            _use_isa(module, isa)
        module.set_persistent(persistent)
        extension = module
    _tried = True
    return extension


def _use_isa(module: ModuleType, isa: str) -> None:
    supported = module.cpu_isas()
    if isa not in supported:
        raise ValueError(
            f"environment variable LRCN_FAST_CPU_ISA={isa!r}: "
            f"this CPU and build have {', '.join(supported)}"
        )
    module.set_cpu_isa(isa)
