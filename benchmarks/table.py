"""A run's result as JSON and as a markdown table."""

from __future__ import annotations

from pathlib import Path

from .report import Result, duration, geometric_mean, grid, warning_of_load, write_files

HEADER = (
    "case",
    "shape",
    "torch.nn.LSTM",
    "lrcn_fast",
    "torch / ours",
    "GFLOP/s torch",
    "ours",
    "of the peak",
)
PEER = "onnxruntime"
PEER_HEADER = f"{PEER} / ours"


def spread(ratio: dict[str, float]) -> str:
    """Median and quartiles."""
    return f"**{ratio['median']:.2f}** ({ratio['low']:.2f} to {ratio['high']:.2f})"


def _cells(row: Result) -> tuple[str, ...]:
    """As HEADER has them, then the peer's."""
    named = row["case"], row["label"]
    if "refused" in row:
        return *named, "-", "-", "refused", "-", "-", "-", "-"
    peer = row["peers"].get(PEER)
    return (
        *named,
        duration(row["median"]["torch"]),
        duration(row["median"]["lrcn_fast"]),
        spread(row["ratio"]),
        f"{row['gflops']['torch']:.3g}",
        f"{row['gflops']['lrcn_fast']:.3g}",
        f"{row['share_of_peak']['lrcn_fast']:.0%}",
        spread(peer) if peer else "-",
    )


def _padded(row: Result) -> bool:
    return row["mode"] != "step" and row["shape"]["sequences"] == "padded"


GROUPS = {
    "inference": lambda row: _padded(row) and row["mode"] == "inference",
    "training": lambda row: _padded(row) and row["mode"] == "training" and row["input_grad"],
    "lengths and PackedSequence": lambda row: row["shape"]["sequences"] in ("lengths", "packed"),
    "cont": lambda row: row["shape"]["sequences"] == "cont",
    "single steps": lambda row: row["mode"] == "step",
}
"""Rows by what they have in common; training of padded sequences counts without frozen features."""


def means(rows: list[Result], peer: str | None = None) -> dict[str, float]:
    """By group, the geometric mean of torch's time, or that of a peer, over ours."""
    found = {}
    for group, holds in GROUPS.items():
        ratios = [row["peers"].get(peer) if peer else row["ratio"] for row in rows if holds(row)]
        if ratios := [ratio["median"] for ratio in ratios if ratio]:
            found[group] = geometric_mean(ratios)
    return found


def timed(result: Result) -> list[Result]:
    """The rows that passed their checks."""
    return [row for row in result["rows"] if "refused" not in row]


def part(result: Result) -> str:
    """Dtype and threads."""
    threads = result["machine"]["threads"]
    return f"{result['settings']['dtype']}, {threads} thread{'s' if threads > 1 else ''}"


def where(result: Result) -> str:
    """The machine, the versions and the date."""
    machine, versions = result["machine"], result["versions"]
    peer = f", {PEER} {versions[PEER]}" if versions.get(PEER) else ""
    return (
        f"{machine['cpu']}, {machine['isa']}; torch {versions['torch']}{peer}, lrcn_fast "
        f"{versions['lrcn_fast']}, {result['date'][:10]}."
    )


def table(result: Result) -> str:
    """The rows, then geometric means, refusals and the machine, as markdown."""
    rows = timed(result)
    cells, header = [_cells(row) for row in result["rows"]], (*HEADER, PEER_HEADER)
    if not any(row["peers"] for row in rows):
        cells, header = [row[:-1] for row in cells], HEADER
    lines = grid(header, cells)
    for name in ("torch", PEER):
        found = means(rows, None if name == "torch" else name)
        if found:
            named = ", ".join(f"{group} {mean:.2f}" for group, mean in found.items())
            lines += ["", f"Geometric means of {name} / ours: {named}."]
    if rows:
        slowest = min(rows, key=lambda row: float(row["ratio"]["median"]))
        lines += ["", f"Lowest: {slowest['case']} {slowest['ratio']['median']:.2f}."]
    for row in result["rows"]:
        if "way" in row:
            lines += ["", f"{row['case']}: torch is the fastest by {row['way']}."]
        for reason in row["left_out"].values():
            lines += ["", f"{'Refused' if 'refused' in row else 'Left out'}: {reason}"]
    if lacking := result.get("lacking"):
        lines += ["", f"{PEER_HEADER} is not measured: {lacking}."]
    if busy := warning_of_load(result["other_load"]):
        lines += ["", busy]
    peak = result["peak"]
    lines += [
        "",
        f"{part(result)}; {where(result)} Median time of a call; median and quartiles of the ratio "
        f"over alternating rounds. The peak is torch's fastest product, {peak['gflops']:.0f} "
        f"GFLOP/s ({peak['size']} x {peak['size']}).",
    ]
    return "\n".join([*lines, ""])


def file_stem(result: Result) -> str:
    """Name of a machine class: device, instruction set, threads, and a dtype that isn't float32."""
    machine, dtype = result["machine"], result["settings"]["dtype"]
    stem = f"cpu-{machine['isa']}-{machine['threads']}t"
    return stem if dtype == "float32" else f"{stem}-{dtype}"


def write(result: Result, folder: Path) -> tuple[Path, Path]:
    """Writes a result as JSON and its table into ``folder`` and returns their paths."""
    return write_files(folder, file_stem(result), result, table(result))
