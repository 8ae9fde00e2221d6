"""Reads what ptxas reports of each kernel: ``NAME.cu.o.ptxas`` beside the object, by ninja."""

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

from build_tools.plan import Plan

_ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")


@dataclass(frozen=True)
class Usage:
    """What one kernel takes on one architecture.

    Attributes:
        source: the stem of its .cu file.
        kernel: its name as :func:`readable` spells it.
        arch: such as "sm_90a".
        registers: of a thread.
        spill_stores: bytes of a thread.
        spill_loads: bytes of a thread.
        stack: bytes of a thread: local memory, spilled to or indexed into, also by functions that
            the kernel calls.
        shared: bytes of static shared memory of a block.
        barriers: of a block.
    """

    source: str
    kernel: str
    arch: str
    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int
    barriers: int

    @property
    def name(self) -> str:
        """Source and kernel, such as "lstm_cell: forward_kernel<float>(LstmCellForward)"."""
        return f"{self.source}: {self.kernel}"


def demangle(symbol: str) -> str:
    """The C++ name of a symbol, or the symbol itself where it is none.

    By the C++ runtime, which torch has loaded: c++filt need not be installed.
    """
    runtime = ctypes.CDLL("libstdc++.so.6")
    runtime.__cxa_demangle.restype = ctypes.c_void_p
    status = ctypes.c_int()
    found = runtime.__cxa_demangle(symbol.encode(), None, None, ctypes.byref(status))
    if not found:
        return symbol
    try:
        return ctypes.string_at(found).decode()
    finally:
        libc = ctypes.CDLL(None)
        libc.free.argtypes = [ctypes.c_void_p]
        libc.free(found)


def readable(symbol: str) -> str:
    """A kernel's C++ name without what all kernels of the project have in common."""
    name = demangle(symbol)
    for noise in ("lrcn_fast::", "(anonymous namespace)::"):
        name = name.replace(noise, "")
    return name.removeprefix("void ")


def parse(report: str, source: str) -> list[Usage]:
    """The kernels of one report.

    Args:
        report: what ``nvcc -Xptxas -v`` printed, for any number of architectures.
        source: the stem of the .cu file.

    Raises:
        ValueError: a kernel was announced and its registers are not told.
    """
    found = []
    # Everything from one announcement to the next is about one kernel and one architecture. What
    # comes before the first is about functions that some kernel calls.
    starts = [match.start() for match in _ENTRY.finditer(report)]
    for begin, end in zip([0, *starts[1:]], [*starts[1:], len(report)] if starts else []):
        text = report[begin:end]
        entry = _ENTRY.search(text)
        used = re.search(r"Used (\d+) registers.*", text)
        if entry is None or used is None:
            raise ValueError(f"{source}: ptxas tells no registers in\n{text}")
        stack = max(
            _sum(r"(\d+) bytes stack frame", text),
            _sum(r"(\d+) bytes cumulative stack size", used[0]),
            _sum(r"(\d+) bytes lmem", used[0]),
        )
        found.append(
            Usage(
                source,
                readable(entry[1]),
                entry[2],
                int(used[1]),
                _sum(r"(\d+) bytes spill stores", text),
                _sum(r"(\d+) bytes spill loads", text),
                stack,
                _sum(r"(\d+) bytes smem", used[0]),
                _sum(r"used (\d+) barriers", used[0]),
            )
        )
    return found


def _sum(pattern: str, text: str) -> int:
    return sum(map(int, re.findall(pattern, text)))


def sources(plan: Plan) -> list[Path]:
    """The .cu files of the project."""
    return sorted((plan.root / "csrc" / "cuda").glob("*.cu"))


def object_of(plan: Plan, source: Path) -> Path:
    """Where the build puts a .cu file's object."""
    return plan.root / plan.objects / "cuda" / f"{source.name}.o"


def read(plan: Plan) -> list[Usage]:
    """The kernels of the whole build.

    Raises:
        FileNotFoundError: a .cu file has no report: the extension is not built, or by an old build.
    """
    found = []
    for source in sources(plan):
        path = object_of(plan, source)
        report = path.with_name(f"{path.name}.ptxas")
        if not report.is_file():
            raise FileNotFoundError(f"{report}: build the extension in place first: make test does")
        found += parse(report.read_text(), source.stem)
    return found
