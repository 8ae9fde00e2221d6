#pragma once

#include "operand.h"
#include "tile.h"

#if defined(__AVX512BF16__)

namespace lrcn_fast::cpu::LRCN_ISA {

// As tile.h's, with two neighbouring terms in each lane of the panel. The sums are one chain each, because a rounding
// of float32 is small against the operands' own.
template <class C, int R>
inline __attribute__((always_inline)) Sums<C, R> multiply(const BFloat16* const* rows, int64_t depth,
                                                          const BFloat16* panel) {
  Sums<C, R> sums = {};
  const BFloat16* row[R];
  for (int r = 0; r < R; ++r) row[r] = rows[r];
  for (int64_t k = 0; k < depth; k += kTerms<BFloat16>) {
    const BFloat16* line = panel + k * kPanelWidth<C>;
    __m512bh weights[kPanel];
#pragma GCC unroll 4
    for (int q = 0; q < kPanel; ++q) weights[q] = load_terms(line + q * kTerms<BFloat16> * kLanes<C>);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const auto values = reinterpret_cast<__m512bh>(_mm512_set1_epi32(load_raw<int32_t>(row[r] + k)));
#pragma GCC unroll 4
      for (int q = 0; q < kPanel; ++q) add_products(sums.at[r][q], values, weights[q]);
    }
  }
  return sums;
}

}  // namespace lrcn_fast::cpu::LRCN_ISA

#endif
