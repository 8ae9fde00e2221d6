"""What the nets are to reach on a CPU, and whether a result shows that they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..gpu.targets import Target
from .peers import EAGER, PADDED, PRODUCTS

TIMES_EAGER = {"caffenet-fc6": 1.3, "hybrid-fc6": 1.5}
"""By row: torch's time over ours, in whichever memory format torch is faster."""

SAVED_SHARE = 0.9
"""Of the padding's share, how much of the time of computing it too is saved at least."""


def fastest(row: dict[str, Any], names: tuple[str, ...] = EAGER) -> str | None:
    """Which of some implementations was the fastest in a row; None where none has a time."""
    timed = [name for name in names if name in row.get("median", {})]
    return min(timed, key=lambda name: float(row["median"][name]), default=None)


def times(row: dict[str, Any], name: str) -> float:
    """The median of an implementation's time over ours."""
    return 1 / float(row["ratio"][name]["median"])


def targets(rows: list[dict[str, Any]]) -> Iterator[Target]:
    """All targets, with what the rows say about each."""
    named = {row["name"]: row for row in rows if row.get("ratio")}
    for name, least in TIMES_EAGER.items():
        what = f"{name}: {least:g} times torch in its faster memory format"
        row = named.get(name)
        peer = fastest(row) if row else None
        if row is None or peer is None:
            yield Target(what, "not measured", "no figure")
            continue
        ratio = times(row, peer)
        shown = f"{ratio:.2f} times {peer}"
        if PRODUCTS in row["ratio"]:
            shown += f"; {ratio / times(row, PRODUCTS):.2f} if all but torch's products were free"
        yield Target(what, "met" if ratio >= least else "missed", shown)
    padded = [row for row in named.values() if PADDED in row["ratio"]]
    what = f"of padded clips {SAVED_SHARE:.0%} of the padding's time is saved"
    if not padded:
        yield Target(what, "not measured", "no figure")
    for row in padded:
        share = (1 - 1 / times(row, PADDED)) / row["padding"]
        state = "met" if share >= SAVED_SHARE else "missed"
        yield Target(what, state, f"{share:.0%} in {row['name']}")
