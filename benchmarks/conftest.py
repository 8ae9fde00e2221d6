"""pytest-benchmark notes the versions and the thread count that the times belong to."""

from __future__ import annotations

from typing import Any

from . import machine


def pytest_benchmark_update_machine_info(config: object, machine_info: dict[str, Any]) -> None:
    """Adds lrcn_fast's and torch's versions, threads and instruction set to a saved run."""
    machine_info["lrcn_fast"] = machine.describe()
