"""The native extension as the tests see it: instruction sets to run on, and switching them."""

from collections.abc import Iterator
from contextlib import contextmanager

from lrcn_fast import _loader

_loader.load()


def isas() -> tuple[str, ...]:
    """Instruction sets compiled in and supported here; one stand-in when nothing is built."""
    extension = _loader.extension
    return ("extension",) if extension is None else tuple(extension.cpu_isas())


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    """Run the native kernels on one instruction set; the one before is restored."""
    extension = _loader.extension
    assert extension is not None, f"the native tests need the extension: {_loader.reason}"
    before = extension.cpu_isa()
    extension.set_cpu_isa(name)
    try:
        assert extension.cpu_isa() == name
        yield
    finally:
        extension.set_cpu_isa(before)
