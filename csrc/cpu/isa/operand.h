#pragma once

#include "storage.h"

// What products of stored values are made of.
namespace lrcn_fast::cpu::LRCN_ISA {

// The type that is computed in, unless there are products of the stored type itself.
template <class S>
struct OperandOf {
  using Type = Compute<S>;
};
#if defined(__AVX512BF16__)
template <>
struct OperandOf<BFloat16> {
  using Type = BFloat16;
};
#endif
template <class S>
using Operand = typename OperandOf<S>::Type;

// Neighbouring terms that one instruction adds to each sum. Packed weights and the rows that are multiplied with them
// are filled up to a multiple of it with zeros.
template <class S>
inline constexpr int64_t kTerms = static_cast<int64_t>(sizeof(Compute<S>) / sizeof(Operand<S>));

template <class S>
inline int64_t padded_depth(int64_t depth) {
  return (depth + kTerms<S> - 1) / kTerms<S> * kTerms<S>;
}

template <class S>
inline Vec<Compute<S>> load_terms(const S* source) {
  return load(source);
}
template <class S>
inline Vec<Compute<S>> load_terms(const S* source, int64_t count) {
  return load(source, count);
}
template <class V>
inline void add_products(V& sum, const V& values, const V& weights) {
  sum += values * weights;
}
#if defined(__AVX512BF16__)
inline __m512bh load_terms(const BFloat16* source) { return load_raw<__m512bh>(source); }
inline __m512bh load_terms(const BFloat16* source, int64_t count) {
  return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ull << count) - 1), source));
}
// Two products for each sum.
inline void add_products(Vec<float>& sum, const __m512bh& values, const __m512bh& weights) {
  sum = reinterpret_cast<Vec<float>>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), values, weights));
}
#endif

// As store. Where products take the stored values themselves, numbers below 2^-126 become zero, as in these products.
template <class S>
inline void store_rounded(S* target, Vec<Compute<S>> value, int64_t count) {
  store(target, value, count);
}
#if defined(__AVX512BF16__)
inline void store_rounded(BFloat16* target, Vec<float> value, int64_t count) {
  const auto words = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(value)));
  if (count >= kLanes<float>) {
    memcpy(target, &words, sizeof(words));
  } else {
    _mm256_mask_storeu_epi16(target, static_cast<__mmask16>((1u << count) - 1), words);
  }
}
#endif

// What a value becomes by being stored as S, as an operand: the state carried to the next step is the one the caller is
// shown.
template <class S>
inline void store_carried(Operand<S>* target, Vec<Compute<S>> value, int64_t count) {
  if constexpr (sizeof(S) == sizeof(Operand<S>)) {
    store_rounded(target, value, count);
  } else {
    store(target, rounded<S>(value), count);
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
