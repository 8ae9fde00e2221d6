"""The kernels that stay for a whole sequence, on the CPU, against the reference.

Every variant that is compiled runs forward and backward. An absent word or buffer is NaN, so a
state that is read too early, too late or from the wrong place shows.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulator import lstm
from tests.emulator.module import emulator
from tests.emulator.test_lstm import ARITHMETICS, check, loop
from tests.helpers.cases import Case, build

ROOT = Path(__file__).resolve().parents[2]
TENSOR_CORES = [name for name in ARITHMETICS if name not in ("float32", "float64")]


@dataclass(frozen=True)
class Variant:
    """A row of lstm_variants.h."""

    kernel: int
    backward: bool
    arithmetic: str
    position: int
    hidden: int
    rows: int

    def __str__(self) -> str:
        kind = "cluster" if self.kernel == lstm.CLUSTER else "grid"
        direction = "backward" if self.backward else "forward"
        return f"{kind}-{direction}-{self.arithmetic}-{self.hidden}x{self.rows}"


def variants() -> list[Variant]:
    text = (ROOT / "csrc/include/lrcn_fast/lstm_variants.h").read_text().replace("\\\n", "")
    found = []
    for kind, direction, family, rows in re.findall(
        r"#define LRCN_(CLUSTER|GRID)_(FORWARD|BACKWARD)_(HALF|TF32)\(X\)(.*)", text
    ):
        names = ("float16", "bfloat16") if family == "HALF" else ("tf32", "tf32x3")
        chunk = 32 if family == "HALF" else 16
        for position, row in enumerate(re.findall(r"X\(([^)]*)\)", rows)):
            numbers = [int(number) for number in row.split(",")]
            groups, chunks = (numbers[0], numbers[1]) if kind == "CLUSTER" else (1, numbers[0])
            hidden = chunk * (8 // groups) * chunks // (4 if direction == "BACKWARD" else 1)
            for name in names:
                kernel = lstm.CLUSTER if kind == "CLUSTER" else lstm.GRID
                found.append(
                    Variant(
                        kernel, direction == "BACKWARD", name, position, hidden, 8 * numbers[-1]
                    )
                )
    return found


VARIANTS = variants()


def run(case: Case, variant: Variant, seed: int = 0) -> None:
    dtype, tf32 = ARITHMETICS[variant.arithmetic]
    forward, exact_forward, backward, exact_backward = loop(case, dtype)
    x = build(case, dtype)
    emulator().set_seed(seed)
    kernel = (variant.kernel, variant.position)
    if variant.backward:
        actual = lstm.backward(x, forward[4], forward[3], tf32, kernel)
        check(lstm.BACKWARD, actual, backward, exact_backward, arithmetic=variant.arithmetic)
    else:
        actual = lstm.forward(x, tf32, kernel=kernel)
        check(lstm.FORWARD, actual, forward, exact_forward, arithmetic=variant.arithmetic)


def test_all_variants_are_found() -> None:
    assert len(VARIANTS) == len(set(map(str, VARIANTS))) > 40


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v.hidden <= 256], ids=str)
def test_variant(variant: Variant) -> None:
    """Ragged and with resets, more rows than a slice, and units that the blocks do not fill."""
    hidden = variant.hidden - 8
    batch = variant.rows + 3
    lengths = tuple((5 * n) % 4 for n in range(batch))
    run(Case(str(variant), T=3, B=batch, H=hidden, cont="random", lengths=lengths), variant, 1)
