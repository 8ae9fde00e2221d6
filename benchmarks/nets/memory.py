"""Peak memory of one implementation in one row: ``python -m benchmarks.nets.memory ROW NAME``.

Each is measured in a fresh process of its own, because a peak can't be taken back.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import torch

from ..memory import peak_bytes, told_by
from .cases import CASES, Case
from .peers import NAMES, Bench


def peak(case: Case, name: str) -> int:
    """Bytes by which two calls raise this process' peak above weights and a call of one frame."""
    bench = Bench(case, torch.float32)
    bench.job(name, replace(case, steps=1, batch=1, lengths=None)).run()
    job = bench.job(name)
    baseline = peak_bytes()
    for _ in range(2):
        job.run()
    return peak_bytes() - baseline


def in_fresh_process(case: Case, name: str, threads: int) -> int:
    """``peak``, measured in a process of its own."""
    return told_by("benchmarks.nets.memory", name, case.name, name, "--threads", threads)


def main(arguments: list[str] | None = None) -> int:
    """Prints the peak as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nets.memory", description=__doc__)
    named = {case.name: case for case in CASES}
    parser.add_argument("row", choices=named)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(json.dumps({"bytes": peak(named[options.row], options.name)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
