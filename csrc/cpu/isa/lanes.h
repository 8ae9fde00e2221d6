#pragma once

#include "storage.h"

// Roots, powers and reorderings of lanes.
namespace lrcn_fast::cpu::LRCN_ISA {

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline float power(float x, float exponent) { return __builtin_powf(x, exponent); }
inline double power(double x, double exponent) { return __builtin_pow(x, exponent); }

template <class C>
inline Vec<C> root(Vec<C> x) {
#if defined(__AVX512F__)
  // The masked forms for GCC 12's sake, as in storage.h.
  if constexpr (sizeof(C) == 4) return reinterpret_cast<Vec<C>>(_mm512_maskz_sqrt_ps(0xffff, (__m512)x));
  if constexpr (sizeof(C) == 8) return reinterpret_cast<Vec<C>>(_mm512_maskz_sqrt_pd(0xff, (__m512d)x));
#elif defined(__F16C__)
  if constexpr (sizeof(C) == 4) return reinterpret_cast<Vec<C>>(_mm256_sqrt_ps((__m256)x));
  if constexpr (sizeof(C) == 8) return reinterpret_cast<Vec<C>>(_mm256_sqrt_pd((__m256d)x));
#endif
  Vec<C> roots;
  for (int lane = 0; lane < kLanes<C>; ++lane) roots[lane] = root(static_cast<C>(x[lane]));
  return roots;
}

template <class C>
inline Vec<C> power(Vec<C> x, C exponent) {
  Vec<C> powers;
  for (int lane = 0; lane < kLanes<C>; ++lane) powers[lane] = power(static_cast<C>(x[lane]), exponent);
  return powers;
}

template <class C>
inline BitsVec<C> lane_numbers() {
  BitsVec<C> numbers;
  for (int lane = 0; lane < kLanes<C>; ++lane) numbers[lane] = lane;
  return numbers;
}

// Lane k is lane source[k] of a and b, one after the other.
template <class C>
inline Vec<C> shuffle(Vec<C> a, Vec<C> b, BitsVec<C> source) {
#if defined(__clang__)
  Vec<C> result;
  for (int lane = 0; lane < kLanes<C>; ++lane) {
    result[lane] = source[lane] < kLanes<C> ? a[source[lane]] : b[source[lane] - kLanes<C>];
  }
  return result;
#else
  return __builtin_shuffle(a, b, source);
#endif
}

// From a and b, side by side, the lanes of even and of odd number; and back.
template <class C>
inline Vec<C> even_lanes(Vec<C> a, Vec<C> b) {
  return shuffle<C>(a, b, 2 * lane_numbers<C>());
}
template <class C>
inline Vec<C> odd_lanes(Vec<C> a, Vec<C> b) {
  return shuffle<C>(a, b, 2 * lane_numbers<C>() + 1);
}
template <class C>
inline Vec<C> interleaved_low(Vec<C> even, Vec<C> odd) {
  const BitsVec<C> lanes = lane_numbers<C>();
  return shuffle<C>(even, odd, (lanes >> 1) + (lanes & 1) * kLanes<C>);
}
template <class C>
inline Vec<C> interleaved_high(Vec<C> even, Vec<C> odd) {
  const BitsVec<C> lanes = lane_numbers<C>();
  return shuffle<C>(even, odd, (lanes >> 1) + (lanes & 1) * kLanes<C> + kLanes<C> / 2);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
