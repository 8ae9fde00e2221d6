"""Part "bench": times of all rows, measured by a process that is started anew after a fault."""

from __future__ import annotations

from .floor import ASSUMPTIONS
from .plan import Context, Part, Record, command_line
from .worker import collect, command

PROGRAM = "benchmarks.gpu.measure"


def _names(group: str = "") -> list[str]:
    """The names of all rows, or of those of a group."""
    from .rows import rows

    return [row.name for row in rows() if group in ("", row.group)]


def run(context: Context, seconds: float) -> Record:
    """Measures as many rows as fit; what did not is listed under "not_run".

    The paper's rows have to fit.
    """
    record, reason = collect(context, seconds, PROGRAM, _names(), "bench.log")
    record["floor_assumptions"] = list(ASSUMPTIONS)
    paper = [name for name in record["not_run"] if name in _names("paper")]
    failed = [row["name"] for row in record["rows"] if "failed" in row]
    refused = [row["name"] for row in record["rows"] if native_refused(row)]
    if not record["rows"]:
        return {"status": "failed", "reason": reason or "no row was measured", **record}
    if failed or refused or paper:
        told = [f"{len(failed)} rows failed" if failed else ""]
        told.append(f"the native backend was refused in {len(refused)} rows" if refused else "")
        told.append(f"{len(paper)} of the paper's rows were not measured" if paper else "")
        return {"status": "failed", "reason": ", ".join(filter(None, told)), **record}
    return {"status": "passed", **record}


def native_refused(row: Record) -> bool:
    """Whether the check refused our kernels in one of a row's modes."""
    return any("native" in mode["refused"] for mode in row.get("modes", {}).values())


def _plan(context: Context) -> list[str]:
    from .rows import rows

    lines = command_line([command(context, PROGRAM, PART.seconds)])
    found = rows()
    lines += [f"{row.name}: {row.shape.label}" for row in found if row.group == "paper"]
    grid = [row.name for row in found if row.group == "grid"]
    lines.append(f"then {len(grid)} rows of the grid, from {grid[0]} to {grid[-1]}, as time allows")
    return lines


PART = Part("bench", 105.0, "speed beside cuDNN, torch.compile and the floor", _plan, run)
