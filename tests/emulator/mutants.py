"""Kernels whose threads wait for each other, with faults put in, one at a time, into copies.

All faults are compiled at once, each behind a condition that the module's ``set_fault`` chooses,
and of the persistent kernels only the first variant of each in fp16. The rest of the module is the
emulator's own.

Left out is what the kernels could do without: the barrier at the end of a cluster (who has waited
for the last step has all that peers send him), the second warp_barrier of a turn of the grid's (the
next turn's block_barrier comes before anything is written), and those that only keep a compiler
from asking for too much at once.
"""

import fcntl
import functools
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from types import ModuleType

from build_tools.toolchain import find_compiler
from tests.emulator.build import FLAGS, FOLDER, ROOT, build

MUTANTS = FOLDER / "mutants"
SOURCES = ("lstm_persistent_float16", "relu_max_pool_lrn")

_BINDING = """\
#include "tests/emulator/bindings/arrays.h"

namespace {
int fault = -1;
}
int lrcn_fault() { return fault; }

namespace lrcn_fast::emulator {
const Registration registration([](py::module_& m) {
  m.def("set_fault", [](int n) { fault = n; });
});
}
"""


@dataclass(frozen=True)
class Fault:
    """``new`` in the place of ``old``, where that occurs for the n-th time in ``file``.

    FAULT stands for whether the fault is chosen; without ``new``, ``old`` is left out.
    """

    name: str
    file: str
    old: str
    new: str = ""
    occurrence: int = 0
    kernel: str = ""

    def __str__(self) -> str:
        return f"{self.kernel or self.file.removesuffix('.cuh')}-{self.name}"

    def put_into(self, text: str, number: int) -> str:
        new = (self.new or f"(FAULT ? void() : {self.old})").replace(
            "FAULT", f"(lrcn_fault() == {number})"
        )
        parts = text.split(self.old)
        assert len(parts) > self.occurrence + 1, f"{self}: '{self.old}' is not there"
        before, after = parts[: self.occurrence + 1], parts[self.occurrence + 1 :]
        return self.old.join(before) + new + self.old.join(after)


def _first_scan(file: str) -> Fault:
    scans = "call.scans["
    return Fault("takes the first scan", file, scans, scans + "FAULT ? 0 : ")


def _cluster(file: str) -> list[Fault]:
    first, again = "arrived + n, kStepBytes", "mbarrier_arrive_expect(arrived + buffer, kStepBytes)"
    target, signal = "states + (1 - buffer)", "arrived + 1 - buffer"
    return [
        _first_scan(file),
        Fault("no barrier before peers write", file, "cluster_barrier()"),
        Fault("no barrier before sums", file, "block_barrier()"),
        Fault("sends before the barrier", file, "block_barrier()", occurrence=1),
        Fault("wrong parity", file, "(n - 1) / 2 % 2", "(FAULT ? n : n - 1) / 2 % 2"),
        Fault(
            "no wait",
            file,
            "if (n > 0) {\n      mbarrier",
            "if (n > 0) {\n      if (!FAULT) mbarrier",
        ),
        Fault(
            "waits for the block alone",
            file,
            "mbarrier_wait_cluster(",
            "(FAULT ? mbarrier_wait : mbarrier_wait_cluster)(",
        ),
        Fault("few bytes", file, first, first + " - 16 * FAULT"),
        Fault("many bytes", file, first, first + " + 16 * FAULT"),
        Fault("expects one step only", file, again),
        Fault("sends to the wrong buffer", file, target, "states + (FAULT ? buffer : 1 - buffer)"),
        Fault("signals the wrong barrier", file, signal, "arrived + (FAULT ? buffer : 1 - buffer)"),
    ]


def _grid(file: str) -> list[Fault]:
    kernel = file.removesuffix(".cuh")
    asked = "* hidden, true}" if "forward" in file else "* 4 * hidden, true}"
    fill = "fill(arriving.first, kAbsent, bytes, stream)"
    return [
        _first_scan(file),
        Fault("no barrier before sums", file, "block_barrier()"),
        Fault("sends before the barrier", file, "warp_barrier()"),
        Fault("one buffer of sums", file, "turn ^= 1", "turn ^= FAULT ? 0 : 1"),
        Fault("does not wait", file, asked, asked.replace("true", "!FAULT")),
        Fault(
            "not filled", "lstm_persistent.cuh", fill, f"(FAULT ? Status::kOk : {fill})", 0, kernel
        ),
    ]


def _maps(file: str, barriers: int) -> list[Fault]:
    halo = "block.to(halo, " if "backward" in file else "block.to(tiles.halo, "
    return [
        *(Fault(f"no barrier {n}", file, "block_barrier()", occurrence=n) for n in range(barriers)),
        Fault("no halo", file, halo, halo.replace("to(", "to(FAULT ? 0 : ")),
    ]


PERSISTENT_FAULTS = [
    *_cluster("lstm_cluster_forward.cuh"),
    *_cluster("lstm_cluster_backward.cuh"),
    *_grid("lstm_grid_forward.cuh"),
    *_grid("lstm_grid_backward.cuh"),
]
MAP_FAULTS = [
    *_maps("relu_max_pool_lrn_forward.cuh", 2),
    *_maps("relu_max_pool_lrn_backward.cuh", 3),
]
FAULTS = [*PERSISTENT_FAULTS, *MAP_FAULTS]


def _write_sources() -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "csrc" / "cuda").glob("*.cuh")}
    for number, fault in enumerate(FAULTS):
        texts[fault.file] = fault.put_into(texts[fault.file], number)
    for name, text in texts.items():
        (MUTANTS / name).write_text(text)
    variants = (ROOT / "csrc/include/lrcn_fast/lstm_variants.h").read_text().replace("\\\n", "")
    # The first row of each list.
    variants = re.sub(r"(#define \w+\(X\)\s*X\([^)]*\)).*", r"\1", variants)
    (MUTANTS / "lrcn_fast").mkdir(exist_ok=True)
    (MUTANTS / "lrcn_fast" / "lstm_variants.h").write_text(variants)
    (MUTANTS / "fault.h").write_text("#pragma once\nint lrcn_fault();\n")
    kernels = [(ROOT / "csrc" / "cuda" / f"{source}.cu").read_text() for source in SOURCES]
    (MUTANTS / "mutants.cpp").write_text("".join(kernels) + _BINDING)


@functools.cache
def mutants() -> ModuleType:
    """The emulator's module with ``set_fault(n)``: fault n of FAULTS, -1 for none."""
    build()
    module = MUTANTS / "lrcn_fast_emulator.so"
    # The bindings of other kernels name types, which one process can do only once.
    own = {*(f"cuda_{source}" for source in SOURCES), "bindings_kernels"}
    objects = [path for path in FOLDER.glob("*.o") if path.stem not in own]
    # Before the other folders, so that the copies are found first.
    flags = [f"-I{MUTANTS}", "-I.", *FLAGS, "-O1", "-shared", "-include", str(MUTANTS / "fault.h")]
    command = [*find_compiler().command, *flags]
    MUTANTS.mkdir(parents=True, exist_ok=True)
    with open(MUTANTS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write_sources()
        subprocess.run(
            [*command, *map(str, [MUTANTS / "mutants.cpp", *objects]), "-o", str(module)],
            cwd=ROOT,
            check=True,
        )
    spec = importlib.util.spec_from_file_location("mutants.lrcn_fast_emulator", module)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
