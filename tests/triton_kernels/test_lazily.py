"""Nobody who does not use the Triton kernels waits for them, or needs the package."""

from pathlib import Path

import pytest

from tests.packaging.run import ROOT, run_python

WITHOUT = "import sys; sys.modules['triton'] = None; import torch, lrcn_fast; "


def test_importing_the_package_imports_no_triton(tmp_path: Path) -> None:
    code = """
import sys, torch
before = set(sys.modules)
import lrcn_fast
lrcn_fast.LSTM(3, 4)(torch.ones(5, 2, 3))
print([name for name in set(sys.modules) - before if "triton" in name])
"""
    assert (
        run_python(code, cwd=tmp_path, PYTHONPATH=str(ROOT)).strip()
        == "['lrcn_fast.backends.triton']"
    )


@pytest.mark.parametrize("chosen", ["by the backend", "by the operator"])
def test_without_the_package_there_is_a_fix(chosen: str, tmp_path: Path) -> None:
    if chosen == "by the backend":
        code = "lrcn_fast.LSTM(3, 4)(torch.ones(5, 2, 3))"
    else:
        code = "torch.ops.lrcn_fast.lstm_cell_forward_triton(torch.ones(2, 8), None)"
    shown = run_python(
        WITHOUT + code, cwd=tmp_path, fails=True, PYTHONPATH=str(ROOT), LRCN_FAST_BACKEND="triton"
    )
    assert "pip install triton" in shown
