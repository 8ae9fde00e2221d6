"""The emulator's module, built when first asked for."""

import functools
import importlib.util
from types import ModuleType

from tests.emulator.build import build


@functools.cache
def emulator() -> ModuleType:
    """The module with one function per bound kernel, and ``set_seed`` for those that follow."""
    spec = importlib.util.spec_from_file_location("lrcn_fast_emulator", build())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
