"""Tensor cores where they belong, no atomics, no local memory: in the instructions themselves."""

from dataclasses import replace
from pathlib import Path

import pytest

from build_tools import resources
from build_tools.extension import make_plan
from tests.cuda import disassembly
from tests.cuda.disassembly import Listing
from tests.cuda.rules import ATOMICS, LOCAL_MEMORY, TENSOR_CORES, Rule, complaints

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


@pytest.mark.parametrize(
    "codes, tensor_cores, words",
    [
        ("HMMA.16816.F32 LDG.E", True, []),
        ("HGMMA.64x64x16.F32", True, []),
        ("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", True, []),
        ("FFMA HFMA2.MMA REDUX.SUM", True, ["does not use the tensor cores"]),
        ("FFMA HFMA2.MMA REDUX.SUM fma.rn.f32 redux.sync.add.s32", False, []),
        ("FFMA HMMA.1688.F32.TF32", False, ["uses the tensor cores: HMMA"]),
        ("UTCHMMA", False, ["uses the tensor cores"]),
        ("REDG.E.ADD.F32.FTZ.RN.STRONG.GPU", False, ["must not contain REDG"]),
        ("ATOMS.ADD ATOMG.E.CAS", False, ["must not contain ATOMG.E.CAS, ATOMS.ADD"]),
        ("red.global.add.f32", False, ["must not contain red"]),
        ("STL.64 RED.E.ADD", False, ["must not contain RED", "must not contain STL"]),
        ("ld.local.f32", False, ["must not contain ld.local"]),
    ],
)
def test_rules(codes: str, tensor_cores: bool, words: list[str]) -> None:
    listing = Listing("lstm: step", "sm_80", frozenset(codes.split()))
    found = complaints([listing], (Rule("lstm: .*", tensor_cores),))
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found))


def test_kernels_without_a_rule_and_rules_without_a_kernel() -> None:
    found = complaints([Listing("other: step", "sm_80", frozenset())], (Rule("lstm: .*", True),))
    assert len(found) == 2
    assert "other: step for sm_80 fits no rule" in found[0]
    assert found[1] == "no kernel for the rule 'lstm: .*'"
