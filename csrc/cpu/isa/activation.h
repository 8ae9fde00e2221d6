#pragma once

#include "vector.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Constants of exp: ln 2 in two parts, the upper one short enough that n * kLn2High is exact; the shift that
// rounds to the nearest integer and leaves it in the low bits of the sum; the arguments at which 2^n becomes
// zero and infinity; and the series of (expm1(r) - r) / r^2 on |r| <= ln(2)/2, highest power first.
template <class C>
struct ExpConstants {
  static constexpr C kLog2E = 1.44269504088896340736f;
  static constexpr C kLn2High = 0.693359375f;
  static constexpr C kLn2Low = -2.12194440e-4f;
  static constexpr C kShift = 12582912.0f;  // 1.5 * 2^23
  static constexpr C kLowest = -88.02f;
  static constexpr C kHighest = 88.8f;
  static constexpr int kMantissa = 23;
  static constexpr int kBias = 127;
  // Fitted for the least relative error of expm1, which is 0.13 units in the last place with these roundings.
  static constexpr C kSeries[] = {1.3946497347205877e-3f, 8.36661085486412e-3f, 4.166628047823906e-2f,
                                  1.666654348373413e-1f, 0.5f};
};

template <>
struct ExpConstants<double> {
  static constexpr double kLog2E = 1.44269504088896340736;
  static constexpr double kLn2High = 6.93145751953125e-1;
  static constexpr double kLn2Low = 1.42860682030941723212e-6;
  static constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLowest = -709.0;
  static constexpr double kHighest = 709.9;
  static constexpr int kMantissa = 52;
  static constexpr int kBias = 1023;
  // 1/13! .. 1/2!: the next term is below 2^-56 of r.
  static constexpr double kSeries[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                       1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                       1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
};

template <class C>
struct ScaledExpm1 {
  Vec<C> scale;      // 2^n
  Vec<C> remainder;  // expm1(r), x = n ln 2 + r
};

// exp(x) = scale * (1 + remainder) for kLowest <= x <= kHighest; NaN goes into the remainder.
template <class C>
inline ScaledExpm1<C> scaled_expm1(Vec<C> x) {
  using K = ExpConstants<C>;
  constexpr int kTerms = sizeof(K::kSeries) / sizeof(K::kSeries[0]);
  const Vec<C> shifted = x * K::kLog2E + K::kShift;
  const Vec<C> n = shifted - K::kShift;
  Vec<C> r = x - n * K::kLn2High;
  r = r - n * K::kLn2Low;
  Vec<C> series = broadcast<C>(K::kSeries[0]);
#pragma GCC unroll 12
  for (int term = 1; term < kTerms; ++term) series = series * r + K::kSeries[term];
  // Unsigned: the upper bits of the shift are pushed out.
  using Unsigned = typename VectorOf<C>::Unsigned;
  const Vec<Unsigned> exponent =
      (reinterpret_cast<Vec<Unsigned>>(shifted) << K::kMantissa) + (Unsigned{K::kBias} << K::kMantissa);
  return {reinterpret_cast<Vec<C>>(exponent), r * r * series + r};
}

// Comparisons in this form keep a NaN and compile to one instruction.
template <class C>
inline Vec<C> at_least(Vec<C> x, C bound) {
  return broadcast<C>(bound) > x ? broadcast<C>(bound) : x;
}
template <class C>
inline Vec<C> at_most(Vec<C> x, C bound) {
  return broadcast<C>(bound) < x ? broadcast<C>(bound) : x;
}

// 1 / (1 + exp(-x)); where exp(-x) overflows, the result is zero as it should be.
template <class C>
inline Vec<C> sigmoid(Vec<C> x) {
  using K = ExpConstants<C>;
  const ScaledExpm1<C> e = scaled_expm1<C>(at_most<C>(at_least<C>(-x, K::kLowest), K::kHighest));
  return 1 / (e.scale * (e.remainder + 1) + 1);
}

// Through expm1 of -2|x|, which keeps the relative accuracy near zero that 1 - 2 / (exp(2x) + 1) loses.
template <class C>
inline Vec<C> tanh(Vec<C> x) {
  using K = ExpConstants<C>;
  const BitsVec<C> sign = reinterpret_cast<BitsVec<C>>(x) & reinterpret_cast<BitsVec<C>>(broadcast<C>(C(-0.0)));
  const Vec<C> negative = reinterpret_cast<Vec<C>>(reinterpret_cast<BitsVec<C>>(-2 * x) |
                                                   reinterpret_cast<BitsVec<C>>(broadcast<C>(C(-0.0))));
  const ScaledExpm1<C> e = scaled_expm1<C>(at_least<C>(negative, K::kLowest));
  const Vec<C> expm1 = e.scale * e.remainder + (e.scale - 1);
  const Vec<C> magnitude = -expm1 / (expm1 + 2);
  return reinterpret_cast<Vec<C>>(
      (reinterpret_cast<BitsVec<C>>(magnitude) & ~reinterpret_cast<BitsVec<C>>(broadcast<C>(C(-0.0)))) | sign);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
