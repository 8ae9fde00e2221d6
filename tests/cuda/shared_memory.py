"""The table of the dynamic shared memory that each launch asks for, in shared_memory.txt.

    python -m tests.cuda.shared_memory             show what the launchers ask for
    python -m tests.cuda.shared_memory --record    write it into the table

ptxas does not know it. It follows from the templates of the kernels, which the emulator's module is
compiled from too: neither nvcc nor a GPU is needed.
"""

import re
import sys
from pathlib import Path

from tests.emulator.module import emulator

TABLE = Path(__file__).with_name("shared_memory.txt")
Sizes = dict[str, tuple[int, int]]
"""Bytes of a block by kernel, for one slice of the batch and for each further one."""

_HEAD = """\
# Dynamic shared memory of a block, written by `python -m tests.cuda.shared_memory --record`: bytes
# for one slice of the batch, and those that each further slice adds. Of relu_max_pool_lrn the most.
#  bytes  slice  kernel
"""
KIB = 1024


def most(arch: str) -> int:
    """What a block may have at most on an architecture, such as "sm_90a"."""
    number = int(re.sub(r"\D", "", arch))
    if 90 <= number < 120:
        return 227 * KIB
    return (163 if number in (80, 87) else 99) * KIB


def found() -> Sizes:
    """What the launchers ask for now."""
    return {kernel: (size, slice_) for kernel, size, slice_ in emulator().shared_bytes()}


def name_of(kernel: str) -> str:
    """A kernel of build_tools.resources.Usage as the table spells it."""
    name = kernel.partition(": ")[2].replace("cuda::", "")
    return name.partition("(")[0]


def read(text: str) -> Sizes:
    """The rows of the table."""
    sizes: Sizes = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            size, slice_, kernel = line.split(maxsplit=2)
            sizes[kernel] = int(size), int(slice_)
    return sizes


def write(sizes: Sizes) -> str:
    """The text of the table."""
    rows = [f"{size:>8}{slice_:>7}  {kernel}" for kernel, (size, slice_) in sorted(sizes.items())]
    return _HEAD + "\n".join(rows) + "\n"


def complaints(sizes: Sizes, table: Sizes, archs: tuple[str, ...]) -> list[str]:
    """What is wrong with the launches, or with the table, one sentence each."""
    told = [f"{TABLE.name}: no kernel for the row {row!r}" for row in table if row not in sizes]
    for kernel, size in sizes.items():
        if kernel not in table:
            told.append(f"{kernel} has no row in {TABLE.name}")
        elif size != table[kernel]:
            told.append(f"{kernel} asks for {size}, {TABLE.name} says {table[kernel]}")
        if _asks_first(kernel):
            # Where it does not fit another kernel runs, or the call is refused.
            if all(size[0] > most(arch) for arch in archs):
                told.append(f"{kernel} asks for {size[0]} bytes, more than any GPU has")
            continue
        told += [
            f"{kernel} asks for {size[0]} bytes, {arch} has {most(arch)}"
            for arch in archs
            if size[0] > most(arch)
        ]
    return told


def _asks_first(kernel: str) -> bool:
    return kernel.startswith(("lstm_cluster_", "lstm_grid_", "conv_frames_"))


def main(arguments: list[str]) -> None:
    """Show or record."""
    text = write(found())
    if arguments == ["--record"]:
        TABLE.write_text(text)
    elif arguments:
        raise SystemExit(__doc__)
    print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
