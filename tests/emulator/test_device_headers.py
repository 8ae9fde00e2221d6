"""The primitives of the device: the same names as the emulator's, and instructions that compile."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import flags
from build_tools.extension import make_plan
from tests.packaging.run import ROOT

PLAN = make_plan()
DEVICE = ROOT / "csrc" / "cuda" / "primitives"
EMULATED = ROOT / "tests" / "emulator" / "include" / "primitives"
HEADERS = sorted(path.name for path in DEVICE.iterdir())
# Of no use to a kernel.
INTERNAL = {"shared_address", "peer_address", "LaunchConfig"}


def names(header: str) -> set[str]:
    """What a header of the device defines."""
    text = (DEVICE / header).read_text()
    functions = re.findall(r"__forceinline__ [\w:<>]+[ *&]+(\w+)(?:<\w+>)?\(", text)
    types = re.findall(r"^(?:struct|using) (?:alignas\(\d+\) )?(\w+)", text, re.MULTILINE)
    return {*functions, *types} - INTERNAL


def test_both_have_the_same_headers() -> None:
    assert [path.name for path in sorted(EMULATED.iterdir())] == HEADERS


@pytest.mark.parametrize("header", [name for name in HEADERS if name != "words.h"])
def test_both_have_the_same_names(header: str) -> None:
    emulated = (EMULATED / header).read_text()
    found = names(header)
    assert found
    assert {name for name in found if not re.search(rf"\b{name}\b", emulated)} == set()


SOURCE = """\
#include "assorted.h"
#include "cluster_lstm.h"
#include "copies.h"
#include "exchange.h"
#include "product.h"
#include "reduction.h"

namespace lrcn_fast::kernels {
template Status product<half_t>(const Product<half_t>&, void*);
template Status product<bfloat16_t>(const Product<bfloat16_t>&, void*);
}
"""


@pytest.mark.skipif(PLAN.toolkit is None, reason="nvcc is not installed")
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_the_kernels_compile_for_the_device(arch: str, tmp_path: Path) -> None:
    """Between them they use every primitive."""
    assert PLAN.toolkit is not None
    source = tmp_path / "kernels.cu"
    source.write_text(SOURCE)
    one = replace(PLAN.toolkit, archs=(arch,))
    options = [*flags.nvcc(one, PLAN.compiler, werror=True), "-Itests/emulator/kernels"]
    done = subprocess.run(
        [one.nvcc, *options, "-c", source, "-o", tmp_path / "kernels.o"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
