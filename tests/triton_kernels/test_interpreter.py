"""Runs ``tests/triton_kernels/interpreted`` in processes of their own, two at a time."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.run import ROOT, environment

FOLDER = Path(__file__).parent / "interpreted"


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="pip install triton")
def test_under_the_interpreter() -> None:
    """Triton decides when it is imported whether it interprets, so this process cannot."""
    cases = FOLDER / "test_cases.py"
    others = [path for path in sorted(FOLDER.glob("test_*.py")) if path != cases]
    # NumPy on several threads would wait more than work.
    env = environment(TRITON_INTERPRET="1", PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    running = [
        subprocess.Popen(
            [*command, *map(str, files)],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for files in ([cases], others)
    ]
    for process in running:
        shown, _ = process.communicate()
        assert process.returncode == 0, shown
        assert " passed" in shown and " skipped" not in shown, shown
