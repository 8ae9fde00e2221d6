"""A GPU's result as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import shorten
from typing import Any

from ..report import geometric_mean, grid
from . import captions, features, nets
from .floor import floor_of
from .store import RUNNING, Result
from .targets import per_step, targets

_CASE = ("case", "precision", "pass", "by", "kernel")
_TIMES = ("ours", "a launch a step", "Triton", "cuDNN", "compiled", "floor")
HEADER = (*_CASE, *_TIMES, "torch / ours", "ours / floor", "our backward", "cuDNN's backward")
WIDEST = 200
"""Characters of a part's result in the table; the JSON has all of it."""

LISTED = 12
"""Names of rows not run in the table, likewise."""

MODES = {"inference": "forward", "training": "forward + backward"}
METHODS = ("graph", "eager")
OWN_AND_TORCHS = ("native", "torch")


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _status(part: Result) -> str:
    return "interrupted" if part["status"] == RUNNING else str(part["status"])


def _device(result: Result) -> list[str]:
    device, versions = result["device"], result["versions"]
    shown = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    clocks = ", ".join(f"{name} {value}" for name, value in device["clocks"].items())
    commit = (result["commit"] or "unknown")[:12] + (", with changes" if result["dirty"] else "")
    major, minor = device["capability"]
    return [
        f"{device['name']} (capability {major}.{minor}, {device['sms']} multiprocessors), "
        f"driver {device['driver']}; {shown}.",
        f"{result['date'][:10]}, commit {commit}"
        + (f"; when it began: {clocks}." if clocks else "."),
    ]


def _details(name: str, part: Result) -> str:
    if name == "tests" and "passed" in part:
        return f"{part['passed']} passed, {part['failed']} failed, {part['skipped']} skipped"
    if name == "sanitizer" and "tools" in part:
        tools = part["tools"].items()
        return ", ".join(f"{tool}: {found['errors']} errors" for tool, found in tools)
    if name == "probes" and "programs" in part:
        return f"{len(part['records'])} figures of {len(part['programs'])} programs"
    if name in ("bench", "features", "captions", "nets") and "rows" in part:
        return f"{len(part['rows'])} rows, {len(part['not_run'])} not run"
    return ""


def _parts(result: Result) -> list[str]:
    rows = []
    for name, part in result["parts"].items():
        said = [_details(name, part), part.get("reason", "")]
        if part.get("commit") != result["commit"]:
            said.append(f"of commit {(part.get('commit') or 'unknown')[:12]}")
        told = "; ".join(filter(None, said)).replace("|", "\\|").replace("\n", " ")
        seconds = f"{part.get('seconds', 0):.0f}"
        rows.append((name, _status(part), seconds, shorten(told, WIDEST, placeholder=" ...")))
    return grid(("part", "status", "seconds", "result"), rows)


def _failures(result: Result) -> Iterator[str]:
    for failure in result["parts"].get("tests", {}).get("failures", []):
        yield from ("", f"Failed: {failure['name']}", "", "```", *failure["lines"], "```")


def _probes(result: Result) -> Iterator[str]:
    """A table for each probe, with the columns that its records have."""
    found: dict[str, list[Result]] = {}
    for record in result["parts"].get("probes", {}).get("records", []):
        found.setdefault(record.get("probe", "failed"), []).append(record)
    for probe, records in found.items():
        columns = list(dict.fromkeys(key for record in records for key in record if key != "probe"))
        cells = [
            [
                _number(value) if isinstance(value, float) else str(value)
                for value in (record.get(column, "-") for column in columns)
            ]
            for record in records
        ]
        yield from ("", f"### {probe}", "", *grid(columns, cells))


def _line(row: Result, mode: str, method: str, capability: list[int]) -> tuple[str, ...]:
    times = row["modes"][mode][method]
    each = {name: per_step(row, seconds) for name, seconds in times["median"].items()}
    alone = row.get("backward", {}).get(method, {}) if mode == "training" else {}
    refused, no_graph = row["modes"][mode]["refused"], row["modes"][mode]["no_graph"]

    def cell(name: str) -> str:
        if name in each:
            return _number(each[name])
        return "refused" if name in refused else "no graph" if name in no_graph else "-"

    least = floor_of(row, mode, capability)
    ratio = times["ratio"].get("native")
    return (
        row["label"],
        row["precision"],
        MODES[mode],
        method,
        row.get("kernels", {}).get(mode, "-"),
        *(cell(name) for name in ("native", "steps", "triton", "torch", "compiled")),
        "-" if least is None else _number(least),
        f"**{ratio['median']:.2f}** ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "-",
        f"{each['native'] / least:.1f}" if least and "native" in each else "-",
        *(_number(per_step(row, alone[name])) if name in alone else "-" for name in OWN_AND_TORCHS),
    )


def _lines(result: Result, group: str, methods: Iterable[str]) -> list[tuple[str, ...]]:
    capability = result["device"]["capability"]
    measured = [
        row
        for row in result["parts"].get("bench", {}).get("rows", [])
        if row.get("group") == group and "modes" in row
    ]
    return [
        _line(row, mode, method, capability)
        for mode in MODES
        for row in measured
        for method in methods
        if method in row["modes"][mode]
    ]


def _refusals(rows: list[Result]) -> Iterator[str]:
    """Every reason once, with the first row that it stopped and the number of others."""
    rows_by_reason: dict[str, list[str]] = {}
    for row in rows:
        if "failed" in row:
            rows_by_reason.setdefault(f"failed: {row['failed']}", []).append(row["name"])
        for mode, found in row.get("modes", {}).items():
            for name, reason in {**found["refused"], **found["no_graph"]}.items():
                last = str(reason).rpartition(": ")[2].splitlines()[0]
                told = f"{name} ({MODES[mode]}): {last}"
                rows_by_reason.setdefault(told, []).append(row["name"])
    for reason, names in rows_by_reason.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"- {names[0]}{others}: {reason}"


def _means(rows: list[Result]) -> Iterator[str]:
    for mode, title in MODES.items():
        ratios: dict[str, list[float]] = {}
        for row in rows:
            times: dict[str, Any] = row.get("modes", {}).get(mode, {}).get("graph", {})
            if "native" in times.get("ratio", {}):
                ratio = times["ratio"]["native"]["median"]
                ratios.setdefault(row["precision"], []).append(ratio)
        if ratios:
            means = (f"{name} {geometric_mean(found):.2f}" for name, found in ratios.items())
            yield f"Geometric means of torch / ours, {title}, as graphs: {', '.join(means)}."


def _targets(result: Result) -> list[str]:
    """A line for the targets; a part that was not run has measured none."""
    from .rows import rows

    listed = [row.describe() for row in rows()]
    bench, capability = result["parts"].get("bench", {}), result["device"]["capability"]
    found = [
        *targets(bench, listed, capability),
        *features.targets(result["parts"].get("features", {})),
        *captions.targets(result["parts"].get("captions", {})),
        *nets.targets(result["parts"].get("nets", {}), capability),
    ]
    cells = [(target.what, target.state, target.shown) for target in found]
    return ["", *grid(("target", "state", "shown"), cells)]


def _bench(result: Result, group: str, methods: Iterable[str]) -> list[str]:
    lines = _lines(result, group, methods)
    return ["", f"### {group}: microseconds per step", "", *grid(HEADER, lines)] if lines else []


def _nets(result: Result) -> list[str]:
    from ..nets.report import rows_grid

    found = result["parts"].get("nets", {}).get("rows", [])
    measured = [row for row in found if "median" in row]
    lines = ["", "### nets, in bfloat16", "", *rows_grid(measured)] if measured else []
    for row in found:
        lines += ["", f"{row['name']} failed: {row['failed']}"] if "failed" in row else []
        for name, reason in row.get("refused", {}).items():
            lines += ["", f"{row['name']}: {name} was refused: {reason}"]
    return lines


def _features(result: Result) -> list[str]:
    from ..features.report import lines

    found = result["parts"].get("features", {}).get("rows", [])
    measured = [row for row in found if "median" in row]
    shown = ["", "### features, in bfloat16", "", *lines(measured, None)] if measured else []
    for row in found:
        shown += ["", f"{row['name']} failed: {row['failed']}"] if "failed" in row else []
    return shown


def _captions(result: Result) -> Iterator[str]:
    return captions.lines(result["parts"].get("captions", {}))


def summary(result: Result) -> str:
    """Device, parts and the paper's shapes: short enough for the end of a log."""
    lines = [*_device(result), "", *_parts(result), *_bench(result, "paper", ("graph",))]
    lines += [*_features(result), *_captions(result), *_nets(result)]
    lines += _targets(result)
    return "\n".join([*lines, "", *_means(result["parts"].get("bench", {}).get("rows", []))]) + "\n"


def table(result: Result) -> str:
    """Everything that was found."""
    lines = [*_device(result), "", *_parts(result), *_failures(result)]
    bench = result["parts"].get("bench", {})
    rows = bench.get("rows", [])
    lines += _bench(result, "paper", METHODS)
    lines += ["", *_means(rows)] if rows else []
    lines += [*_features(result), *_captions(result), *_nets(result)]
    lines += _targets(result)
    lines += _bench(result, "grid", METHODS)
    if rows:
        assumed = "; ".join(bench["floor_assumptions"])
        lines += ["", f"The floor is a model, not a measurement, for an H100: {assumed}."]
    if refusals := list(_refusals(rows)):
        lines += ["", "Without a time:", "", *refusals]
    if left := bench.get("not_run"):
        others = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
        lines += ["", f"Not run for want of time: {', '.join(left[:LISTED])}{others}."]
    lines += _probes(result)
    return "\n".join(lines) + "\n"
