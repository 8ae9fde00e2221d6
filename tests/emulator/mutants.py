"""Kernels whose threads wait for each other, with faults put in, one at a time, into copies.

All faults are compiled at once, each behind a condition that the module's ``set_fault`` chooses,
and of the persistent kernels only the first variant of each in fp16. The rest of the module is the
emulator's own.

Left out is what the kernels could do without: the barrier at the end of a cluster (who has waited
for the last step has all that peers send him), the second warp_barrier of words that leave a grid
(the next turn's block_barrier comes before anything is written), and those that only keep a
compiler from asking for too much at once.
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
SHARES = "_shares"
"""Ends the kernel of a fault that needs blocks that share out the depth."""
_SHARING = f"lstm_grid_forward{SHARES}"

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


def _grid(direction: str) -> list[Fault]:
    kernel = f"lstm_grid_{direction}"
    file, launches, words = f"{kernel}.cuh", "lstm_persistent.cuh", "lstm_grid.cuh"
    forward = direction == "forward"
    asked = "* width, true}" if forward else "* 4 * width, true}"
    fill = "fill(args.workspace, kAbsent, workspace.frames_bytes, stream)"
    turn = "partial + turn % 2"
    besides = f"exchange != args.{'output' if forward else 'grad_gates'}"
    return [
        _first_scan(file),
        Fault("no barrier before sums", file, "block_barrier()"),
        Fault("leaves before the barrier", words, "warp_barrier()", kernel=kernel),
        Fault("one buffer of sums", file, turn, "partial + (FAULT ? 0 : turn % 2)"),
        Fault("does not wait", file, asked, asked.replace("true", "!FAULT")),
        Fault(
            *("not filled", launches, fill, f"(FAULT ? Status::kOk : {fill})"),
            occurrence=0 if forward else 1,
            kernel=kernel,
        ),
        Fault("words alone", file, besides, f"!FAULT && {besides}"),
    ]


def _maps(file: str, barriers: int) -> list[Fault]:
    halo = "block.to(halo, " if "backward" in file else "block.to(tiles.halo, "
    return [
        *(Fault(f"no barrier {n}", file, "block_barrier()", occurrence=n) for n in range(barriers)),
        Fault("no halo", file, halo, halo.replace("to(", "to(FAULT ? 0 : ")),
    ]


def _states() -> list[Fault]:
    """Of the copy of the initial states."""
    file, kernel = "lstm_persistent.cuh", "lstm_grid_forward"
    zeros = "fill(rows, 0, workspace.states_bytes, stream)"
    apart = "copy_rows(rows, workspace.row_bytes"
    return [
        Fault("words not zero", file, zeros, f"(FAULT ? Status::kOk : {zeros})", kernel=kernel),
        Fault("states side by side", file, apart, f"{apart} - 2 * FAULT", kernel=kernel),
    ]


def _sums() -> list[Fault]:
    """Of the blocks of a cluster that share out the depth. Each keeps the texts of those below."""
    file, current = "cluster_sums.cuh", "arrived_ + turn % 2"
    first, again = "arrived_ + n, kTurnBytes", f"mbarrier_arrive_expect({current}, kTurnBytes)"
    wait, alone = "mbarrier_wait_cluster(", "(FAULT ? mbarrier_wait : mbarrier_wait_cluster)("
    signal, other = f"sums_of(owner, item),\n{' ' * 20}arrived_ + ", "(FAULT ? turn + 1 : turn)"
    place, buffer = "source < owner ? source : source - 1", "static_cast<int>(turn % 2) * kPeers"
    faults = [
        ("no barrier before peers send", "cluster_barrier()", ""),
        ("no wait", f"{wait}{current}, turn / 2 % 2)", ""),
        ("waits for the block alone", wait, alone),
        ("wrong parity", "turn / 2 % 2", "(FAULT ? turn : turn / 2) % 2"),
        ("few bytes", first, first + " - 16 * FAULT"),
        ("many bytes", first, first + " + 16 * FAULT"),
        ("expects one turn only", again, ""),
        ("signals the wrong barrier", f"{signal}turn", f"{signal}{other}"),
        ("one buffer", buffer, "(FAULT ? 0 : static_cast<int>(turn % 2)) * kPeers"),
        ("all sums in one place", place, f"FAULT ? 0 : {place}"),
        ("the own sums alone", "source == rank() ?", "source == rank() || FAULT ?"),
    ]
    return [Fault(name, file, old, new, kernel=_SHARING) for name, old, new in faults]


PERSISTENT_FAULTS = [
    *_cluster("lstm_cluster_forward.cuh"),
    *_cluster("lstm_cluster_backward.cuh"),
    *_grid("forward"),
    *_states(),
    *_grid("backward"),
    *_sums(),
]
MAP_FAULTS = [
    *_maps("relu_max_pool_lrn_forward.cuh", 2),
    *_maps("relu_max_pool_lrn_backward.cuh", 3),
]
FAULTS = [*PERSISTENT_FAULTS, *MAP_FAULTS]

# The second row of those lists, in which four blocks share out the depth.
_SECOND_ROWS = {"GRID_FORWARD_HALF": "X(1, 4, 1, 8, 1)", "GRID_BACKWARD_HALF": "X(4, 2, 8, 1)"}


def _variants() -> str:
    """The first row of each list, and of some a second that costs little here."""
    text = (ROOT / "csrc/include/lrcn_fast/lstm_variants.h").read_text().replace("\\\n", "")
    text = re.sub(r"(#define \w+\(X\)\s*X\([^)]*\)).*", r"\1", text)
    for name, row in _SECOND_ROWS.items():
        text = re.sub(rf"(#define LRCN_{name}\(X\).*)", rf"\1 {row}", text)
    return text


def _write_sources() -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "csrc" / "cuda").glob("*.cuh")}
    for number, fault in enumerate(FAULTS):
        texts[fault.file] = fault.put_into(texts[fault.file], number)
    for name, text in texts.items():
        (MUTANTS / name).write_text(text)
    (MUTANTS / "lrcn_fast").mkdir(exist_ok=True)
    (MUTANTS / "lrcn_fast" / "lstm_variants.h").write_text(_variants())
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
