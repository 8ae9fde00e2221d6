"""``python -m benchmarks.gpu``: build, tests, sanitizers, probes and benchmarks on one GPU."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..machine import ROOT
from . import bench, build, captions, device, features, nets, probing, report, sanitizer, suite
from .plan import LEAST_SECONDS, SCRATCH, TOTAL_SECONDS, Context, Part, dry_run, limit, select
from .store import RUNNING, Store

PARTS: tuple[Part, ...] = (
    build.PART,
    suite.PART,
    sanitizer.PART,
    probing.PART,
    features.PART,
    captions.PART,
    nets.PART,
    bench.PART,
)
RESULTS = ROOT / "benchmarks" / "results"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    names = ",".join(part.name for part in PARTS)
    parser.add_argument("--parts", default="", metavar="PART[,PART]", help=f"some of {names}")
    parser.add_argument("--dry-run", action="store_true", help="print the plan; needs no GPU")
    parser.add_argument(
        "--seconds", type=float, default=TOTAL_SECONDS, help="for all parts (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="a second folder for results, and for the logs")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out what an earlier run of the same commit and versions has finished",
    )
    parser.add_argument("--commit", help="the commit to note where there is no .git")
    return parser


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def run_parts(
    parts: Sequence[Part], context: Context, store: Store, total: float, resume: bool = False
) -> bool:
    """Runs and stores the parts within ``total`` seconds; returns whether all passed."""
    end = time.monotonic() + total
    todo = [part for part in parts if not (resume and store.done(part.name))]
    good = True
    for index, part in enumerate(todo):
        seconds = limit(todo, index, end - time.monotonic())
        if not seconds:
            record: dict[str, Any] = {
                "status": "not run",
                "reason": f"less than {LEAST_SECONDS:.0f} s of {total:.0f} were left",
            }
        else:
            print(f"{part.name}: {part.what}, at most {seconds:.0f} s", flush=True)
            carried = resume and store.same_stamp(part.name)
            publish = store.publisher(part.name)
            publish({"status": RUNNING})
            (context.logs / f"{part.name}.log").unlink(missing_ok=True)
            start = time.monotonic()
            earlier = store.earlier.get(part.name, {}) if carried else {}
            record = part.run(replace(context, earlier=earlier, publish=publish), seconds)
            record["seconds"] = round(time.monotonic() - start, 1)
            record["limit_seconds"] = round(seconds, 1)
        store.put(part.name, record)
        good &= record["status"] == "passed"
        print(f"{part.name}: {record['status']} {record.get('reason', '')}".rstrip(), flush=True)
    return good


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 when a part failed or was not run; 2 when nothing can be run."""
    options = _parser().parse_args(arguments)
    try:
        parts = select(PARTS, options.parts)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logs = options.output.resolve() if options.output else SCRATCH
    found = device.find()
    if options.dry_run:
        capability = found["device"]["capability"] if "device" in found else None
        arch = device.arch(capability) if capability else Context.arch
        print(dry_run(parts, Context(arch=arch, logs=logs), options.seconds))
        return 0
    if "missing" in found:
        print(
            f"gpu-check needs a CUDA GPU: {found['missing']}; --dry-run shows the plan without one",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, _stop)
    context = Context(arch=device.arch(found["device"]["capability"]), logs=logs)
    folders = [RESULTS, *([logs] if options.output else [])]
    stem = f"gpu-{device.slug(found['device']['name'])}"
    store = Store(folders, stem, {**found, **device.tree(options.commit)}, report.table)
    good = run_parts(parts, context, store, options.seconds, options.resume)
    print(report.summary(store.result))
    print("\n".join(f"wrote {path}" for path in store.paths))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
