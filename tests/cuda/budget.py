"""The table of the registers that each kernel may use, in budget.txt.

    python -m tests.cuda.budget             show what the built kernels use
    python -m tests.cuda.budget --record    write it into the table

A row holds one number for each architecture and then the kernel, in which ``*`` stands for
anything. Of several rows that fit a kernel, the longest counts.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from build_tools import resources
from build_tools.extension import make_plan
from build_tools.resources import Usage

TABLE = Path(__file__).with_name("budget.txt")
Budget = dict[str, dict[str, int]]

_HEAD = """\
# Registers of a thread, written by `python -m tests.cuda.budget --record`. A change of this file
# has to be meant as much as the change of the kernel: with more registers, fewer threads fit.
"""
_ARCHS = re.compile(r"^#((?: +sm_\w+)+) +kernel$", re.MULTILINE)
_NOT_RECORDED = "-"


def read(text: str) -> Budget:
    """Registers by row and architecture.

    Raises:
        ValueError: a line is no row of the table.
    """
    heading = _ARCHS.search(text)
    archs = heading[1].split() if heading else []
    budget: Budget = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        *numbers, kernel = line.split(maxsplit=len(archs))
        plausible = all(n.isdecimal() or n == _NOT_RECORDED for n in numbers)
        if len(numbers) != len(archs) or not plausible or kernel in budget:
            raise ValueError(f"{TABLE.name}: {line!r} is no row, or its kernel has one already")
        pairs = zip(archs, numbers)
        budget[kernel] = {arch: int(n) for arch, n in pairs if n != _NOT_RECORDED}
    return budget


def write(budget: Budget, archs: Iterable[str]) -> str:
    """The text of the table, with a column for each of ``archs``."""
    columns = sorted(archs, key=lambda arch: (int(re.sub(r"\D", "", arch)), arch))
    lines = ["#" + "".join(f"{arch:>7}" for arch in columns) + "  kernel"]
    for kernel in sorted(budget):
        numbers = [str(budget[kernel].get(arch, _NOT_RECORDED)) for arch in columns]
        lines.append(" " + "".join(f"{number:>7}" for number in numbers) + f"  {kernel}")
    return _HEAD + "\n".join(lines) + "\n"


def row_of(kernel: str, rows: Iterable[str]) -> str | None:
    """The row that counts for a kernel."""
    fitting = [row for row in rows if re.fullmatch(re.escape(row).replace(r"\*", ".*"), kernel)]
    return max(fitting, key=len, default=None)


def complaints(found: list[Usage], budget: Budget) -> list[str]:
    """What is wrong with the kernels, or with the table, one sentence each."""
    told = []
    counted = set()
    for usage in found:
        where = f"{usage.name} on {usage.arch}"
        if usage.spill_stores or usage.spill_loads:
            told.append(f"{where} spills {usage.spill_stores} + {usage.spill_loads} bytes")
        if usage.stack:
            told.append(f"{where} has {usage.stack} bytes of local memory")
        if usage.shared:
            # All of it is dynamic, and counted in shared_memory.txt.
            told.append(f"{where} has {usage.shared} bytes of static shared memory")
        row = row_of(usage.name, budget)
        if row is None:
            told.append(f"{where} has no row in {TABLE.name}")
            continue
        counted.add(row)
        allowed = budget[row].get(usage.arch)
        if allowed is None:
            told.append(f"{where} has no number in {TABLE.name}")
        elif usage.registers > allowed:
            told.append(f"{where} uses {usage.registers} registers, {TABLE.name} allows {allowed}")
    told += [f"{TABLE.name}: no kernel for the row {row!r}" for row in budget if row not in counted]
    return told


def recorded(found: list[Usage], budget: Budget) -> Budget:
    """The table with what the kernels use now.

    Rows with a ``*`` stay where a kernel fits them, every other kernel gets a row of its own, and
    numbers of architectures that were not built stay.
    """
    patterns = [row for row in budget if "*" in row]
    new: Budget = {}
    for usage in found:
        row = row_of(usage.name, patterns) or usage.name
        numbers = new.setdefault(row, {})
        numbers[usage.arch] = max(usage.registers, numbers.get(usage.arch, 0))
    return {row: {**budget.get(row, {}), **numbers} for row, numbers in new.items()}


def main(arguments: list[str]) -> None:
    """Show or record."""
    plan = make_plan()
    if plan.toolkit is None:
        raise SystemExit("there are no kernels: nvcc was not found, or LRCN_FAST_CUDA=0")
    found = resources.read(plan)
    old = read(TABLE.read_text()) if TABLE.exists() else {}
    new = recorded(found, old)
    text = write(new, {arch for numbers in new.values() for arch in numbers})
    if arguments == ["--record"]:
        TABLE.write_text(text)
    elif arguments:
        raise SystemExit(__doc__)
    print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
