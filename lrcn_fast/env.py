"""Every environment variable of the project, what it does, and which values it takes.

Those marked "build" are read when the extension is compiled, the others when first needed.
"""

import os
from dataclasses import dataclass

__all__ = ["VARIABLES", "Variable", "backend", "cpu_isa", "persistent", "strict", "table"]


@dataclass(frozen=True)
class Variable:
    """An environment variable.

    Attributes:
        name: its name.
        values: the values it takes; empty where any text of the kind that ``meaning`` says will do.
        default: what an unset or empty variable stands for.
        meaning: what it does, for the table.
        build: whether the build reads it, rather than the package.
    """

    name: str
    values: tuple[str, ...]
    default: str
    meaning: str
    build: bool = False

    def read(self) -> str:
        """Return the value in lower case, or the default.

        Raises:
            ValueError: the value is not one of ``values``.
        """
        asked = os.environ.get(self.name, "")
        value = asked.strip().lower() or self.default
        if self.values and value not in self.values:
            raise ValueError(
                f"environment variable {self.name}={asked!r}: "
                f"expected one of {', '.join(self.values)}"
            )
        return value


_BACKEND = Variable(
    "LRCN_FAST_BACKEND",
    ("auto", "native", "triton", "reference"),
    "auto",
    "The backend of every call that names none. `auto` takes the first that supports the call; "
    "any other must support it, or the call raises an error.",
)
_STRICT = Variable(
    "LRCN_FAST_STRICT",
    ("0", "1"),
    "0",
    "`1` raises an error where an automatic choice would fall back to a slower backend.",
)
_CPU_ISA = Variable(
    "LRCN_FAST_CPU_ISA",
    ("auto", "baseline", "avx2", "avx512", "avx512bf16"),
    "auto",
    "The instruction set of the CPU kernels. `auto` takes the widest that the CPU has.",
)
_PERSISTENT = Variable(
    "LRCN_FAST_PERSISTENT",
    ("auto", "0", "1"),
    "auto",
    "Whether CUDA kernels run that keep the recurrent weights on chip for a whole sequence: `auto` "
    "where the launch planner expects them to be faster than one launch a step, `0` never, `1` "
    "wherever they fit.",
)
_CUDA = Variable(
    "LRCN_FAST_CUDA",
    ("auto", "0", "1"),
    "auto",
    "Compile the CUDA kernels: `auto` where nvcc is found, `0` never, `1` or fail.",
    build=True,
)
_CUDA_ARCHS = Variable(
    "LRCN_FAST_CUDA_ARCHS",
    (),
    "sm_80;sm_86;sm_89;sm_90a;sm_100",
    "The GPU architectures to compile for; the newest plain one is added as PTX for later GPUs.",
    build=True,
)
_WERROR = Variable(
    "LRCN_FAST_WERROR",
    ("0", "1"),
    "0",
    "`1` makes compiler warnings errors, as CI does.",
    build=True,
)
_SANITIZE = Variable(
    "LRCN_FAST_SANITIZE",
    ("0", "1"),
    "0",
    "`1` compiles for GCC's address and undefined-behaviour sanitizers, as `make sanitize` does; "
    "Python must then start with their libraries preloaded.",
    build=True,
)

VARIABLES = (_BACKEND, _STRICT, _CPU_ISA, _PERSISTENT, _CUDA, _CUDA_ARCHS, _WERROR, _SANITIZE)


def backend() -> str | None:
    """Return the backend that LRCN_FAST_BACKEND asks for, None for an automatic choice."""
    return _none_if_auto(_BACKEND.read())


def strict() -> bool:
    """Return whether LRCN_FAST_STRICT forbids falling back to a slower backend."""
    return _STRICT.read() == "1"


def persistent() -> str:
    """Return what LRCN_FAST_PERSISTENT says of kernels that stay for a whole sequence."""
    return _PERSISTENT.read()


def cpu_isa() -> str | None:
    """Return the instruction set that LRCN_FAST_CPU_ISA asks for, None for an automatic choice."""
    return _none_if_auto(_CPU_ISA.read())


def table() -> str:
    """Return all variables as a Markdown table."""
    rows = ["| variable | read by | values | default | meaning |", "|---|---|---|---|---|"]
    for variable in VARIABLES:
        reader = "build" if variable.build else "package"
        values = ", ".join(f"`{value}`" for value in variable.values) or "a list"
        cells = [f"`{variable.name}`", reader, values, f"`{variable.default}`", variable.meaning]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _none_if_auto(value: str) -> str | None:
    return None if value == "auto" else value
