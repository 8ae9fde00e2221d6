"""What the compilers made: instruction sets that stay where they belong."""

import re

import pytest

from build_tools import flags
from build_tools.extension import make_plan
from tests.packaging.run import ROOT, run

PLAN = make_plan()


@pytest.mark.parametrize("wide", [name for name in flags.isas() if name != "baseline"])
def test_wide_instruction_sets_share_no_function(wide: str) -> None:
    """A weak symbol is merged with its namesakes, and then runs on lesser CPUs too."""
    objects = sorted((ROOT / PLAN.objects / "cpu" / "isa").glob(f"*.{wide}.o"))
    assert objects, "build the extension in place first: make test does"
    symbols = run(["nm", "-C", *objects], cwd=ROOT)
    weak = re.findall(r"^[0-9a-f]+ [WVu] (.+)$", symbols, re.MULTILINE)
    assert [name for name in weak if f"::{wide}::" not in name] == []
