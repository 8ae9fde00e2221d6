"""Tensor cores where they belong, no atomics, no local memory: in the instructions themselves."""

from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import resources
from build_tools.extension import make_plan
from tests.cuda import disassembly
from tests.cuda.disassembly import Listing
from tests.cuda.rules import (
    ATOMICS,
    BFLOAT16,
    FLOAT16,
    LOCAL_MEMORY,
    TENSOR_CORES,
    TF32,
    Rule,
    complaints,
)

PLAN = make_plan()
needs_nvcc = pytest.mark.skipif(
    PLAN.toolkit is None, reason="no CUDA kernels: nvcc is not installed, or LRCN_FAST_CUDA=0"
)

KERNEL = """\
#include <mma.h>
using namespace nvcuda;
namespace lrcn_fast {
__global__ void product(const __half* a, float* out) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  wmma::load_matrix_sync(left, a, 16);
  wmma::load_matrix_sync(right, a, 16);
  wmma::mma_sync(sum, left, right, sum);
  wmma::store_matrix_sync(out, sum, 16, wmma::mem_row_major);
}
__global__ void add(float* out) { atomicAdd(out, 1.0f); }
__global__ void look_up(int* out, int n) {
  int table[64] = {};
  for (int i = 0; i < n; ++i) table[out[i] & 63] += i;
  for (int i = 0; i < n; ++i) out[i] = table[out[n + i] & 63];
}
}
"""


@needs_nvcc
def test_kernels_keep_to_the_rules() -> None:
    found = disassembly.of_build(PLAN)
    assert {listing.name for listing in found} >= {usage.name for usage in resources.read(PLAN)}
    told = complaints(found)
    assert not told, "\n".join(["", *told])


@needs_nvcc
@pytest.mark.parametrize("language", ["sass", "ptx"])
def test_nothing_is_overlooked(language: str, tmp_path: Path) -> None:
    """A kernel of each kind, through the compiler."""
    assert PLAN.toolkit is not None
    plan = replace(PLAN, root=tmp_path, toolkit=replace(PLAN.toolkit, archs=("sm_80",)))
    source = tmp_path / "toy.cu"
    source.write_text(KERNEL)
    if language == "sass":
        cuobjdump = disassembly.find_cuobjdump(PLAN.toolkit)
        if cuobjdump is None:
            pytest.skip("cuobjdump is not installed: it comes with the CUDA toolkit and Triton")
        cubin = tmp_path / "toy.cubin"
        disassembly._output([PLAN.toolkit.nvcc, "-arch=sm_80", "-cubin", source, "-o", cubin])
        found = disassembly.sass(cuobjdump, cubin, "toy")
    else:
        found = list(disassembly.ptx(plan, source))
    kinds = {
        listing.name: [bool(listing.matching(p)) for p in (TENSOR_CORES, ATOMICS, LOCAL_MEMORY)]
        for listing in found
    }
    assert kinds == {
        "toy: product(__half const*, float*)": [True, False, False],
        "toy: add(float*)": [False, True, False],
        "toy: look_up(int*, int)": [False, False, True],
    }
    assert {listing.arch for listing in found} == {"sm_80"}


HALF_SASS, HALF_PTX = "HMMA.16816.F32", "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
BFLOAT_SASS, BFLOAT_PTX = f"{HALF_SASS}.BF16", HALF_PTX.replace("f16.f16", "bf16.bf16")
TF32_SASS = "HMMA.1688.F32.TF32"
TF32_PTX = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
NO_PRODUCT, WRONG_PRODUCT = "does not use the tensor cores", "for what it should not: "


@pytest.mark.parametrize(
    "codes, tensor_cores, words",
    [
        (f"{HALF_SASS} LDG.E", FLOAT16, []),
        (HALF_PTX, FLOAT16, []),
        (BFLOAT_SASS, BFLOAT16, []),
        (BFLOAT_PTX, BFLOAT16, []),
        (TF32_SASS, TF32, []),
        (TF32_PTX, TF32, []),
        (BFLOAT_SASS, FLOAT16, [NO_PRODUCT, WRONG_PRODUCT + BFLOAT_SASS]),
        (TF32_PTX, FLOAT16, [NO_PRODUCT, WRONG_PRODUCT + TF32_PTX]),
        (HALF_SASS, BFLOAT16, [NO_PRODUCT, WRONG_PRODUCT + HALF_SASS]),
        (HALF_PTX, BFLOAT16, [NO_PRODUCT, WRONG_PRODUCT + HALF_PTX]),
        (f"{TF32_SASS} {HALF_SASS}", TF32, [WRONG_PRODUCT + HALF_SASS]),
        ("FFMA HFMA2.MMA REDUX.SUM", FLOAT16, [NO_PRODUCT]),
        ("FFMA HFMA2.MMA REDUX.SUM fma.rn.f32 redux.sync.add.s32", None, []),
        (f"FFMA {TF32_SASS}", None, [WRONG_PRODUCT + TF32_SASS]),
        ("HGMMA.64x64x16.F32", None, [WRONG_PRODUCT + "HGMMA"]),
        ("UTCHMMA", None, [WRONG_PRODUCT + "UTCHMMA"]),
        ("REDG.E.ADD.F32.FTZ.RN.STRONG.GPU", None, ["must not contain REDG"]),
        ("ATOMS.ADD ATOMG.E.CAS", None, ["must not contain ATOMG.E.CAS, ATOMS.ADD"]),
        ("red.global.add.f32", None, ["must not contain red"]),
        ("STL.64 RED.E.ADD", None, ["must not contain RED", "must not contain STL"]),
        ("ld.local.f32", None, ["must not contain ld.local"]),
    ],
)
def test_rules(codes: str, tensor_cores: str | None, words: list[str]) -> None:
    listing = Listing("lstm: step", "sm_80", frozenset(codes.split()))
    found = complaints([listing], (Rule("lstm: .*", tensor_cores),))
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found))


@pytest.mark.parametrize(
    "arch, codes, right",
    [
        ("sm_89", "EXIT", True),
        ("sm_89", HALF_SASS, False),
        ("sm_90a", "EXIT", False),
        ("sm_90a", HALF_SASS, True),
        ("sm_100", HALF_SASS, True),
    ],
)
def test_a_kernel_that_is_empty_below_an_architecture(arch: str, codes: str, right: bool) -> None:
    listing = Listing("lstm: step", arch, frozenset(codes.split()))
    assert (complaints([listing], (Rule("lstm: .*", FLOAT16, since=90),)) == []) == right


def test_kernels_without_a_rule_and_rules_without_a_kernel() -> None:
    found = complaints([Listing("other: step", "sm_80", frozenset())], (Rule("lstm: .*", None),))
    assert len(found) == 2
    assert "other: step for sm_80 fits no rule" in found[0]
    assert found[1] == "no kernel for the rule 'lstm: .*'"
