"""A plugin of pytest, ``-p benchmarks.gpu.told``: a JSON line for every failure as it happens.

So that a run that is killed at its limit keeps what had failed by then.
"""

from __future__ import annotations

import json
from typing import Any

LAST_LINES = 8


class _Teller:
    def __init__(self, config: Any) -> None:
        self._config = config

    def _tell(self, report: Any) -> None:
        if not report.failed:
            return
        lines = report.longreprtext.strip().splitlines()
        record = {"failed_test": report.nodeid, "lines": lines[-LAST_LINES:]}
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        # Errors while tests are collected come in the middle of a line.
        reporter.write_line("\n" + json.dumps(record))
        reporter.flush()

    pytest_runtest_logreport = _tell
    pytest_collectreport = _tell


def pytest_configure(config: Any) -> None:
    """Registered late, so that the terminal has told the outcome first."""
    config.pluginmanager.register(_Teller(config))
