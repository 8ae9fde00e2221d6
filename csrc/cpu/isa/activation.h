#pragma once

#include "vector.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Constants of exp: ln 2 in two parts, the upper one short enough that n * kLn2High is exact, and the
// shift that rounds to the nearest integer and leaves it in the low bits of the sum.
template <class C>
struct ExpConstants {
  static constexpr C kLog2E = 1.44269504088896340736f;
  static constexpr C kLn2High = 0.693359375f;
  static constexpr C kLn2Low = -2.12194440e-4f;
  static constexpr C kShift = 12582912.0f;  // 1.5 * 2^23
  static constexpr C kLowest = -88.02f;     // below it 2^n becomes zero
  static constexpr int kMantissa = 23;
  static constexpr int kBias = 127;
  // 1/n! for n = 2..7: on |r| <= ln(2)/2 the next term is below 2^-25 of r.
  static constexpr int kTerms = 6;
};

template <>
struct ExpConstants<double> {
  static constexpr double kLog2E = 1.44269504088896340736;
  static constexpr double kLn2High = 6.93145751953125e-1;
  static constexpr double kLn2Low = 1.42860682030941723212e-6;
  static constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLowest = -709.0;
  static constexpr int kMantissa = 52;
  static constexpr int kBias = 1023;
  static constexpr int kTerms = 12;  // n = 2..13: the next term is below 2^-56 of r
};

template <class C>
struct ScaledExpm1 {
  Vec<C> scale;      // 2^n
  Vec<C> remainder;  // expm1(r), x = n ln 2 + r
};

// exp(x) = scale + scale * remainder for x <= 0; NaN goes into the remainder.
template <class C>
inline ScaledExpm1<C> scaled_expm1(Vec<C> x) {
  using K = ExpConstants<C>;
  // 1/13! .. 1/2!, Horner order; a shorter series starts further down.
  constexpr double kInverseFactorials[12] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                             1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                             1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
  x = x < K::kLowest ? broadcast<C>(K::kLowest) : x;
  Vec<C> shifted = x * K::kLog2E + K::kShift;
  Vec<C> n = shifted - K::kShift;
  Vec<C> r = x - n * K::kLn2High;
  r = r - n * K::kLn2Low;
  Vec<C> series = broadcast<C>(static_cast<C>(kInverseFactorials[12 - K::kTerms]));
#pragma GCC unroll 12
  for (int term = 13 - K::kTerms; term < 12; ++term) series = series * r + static_cast<C>(kInverseFactorials[term]);
  Vec<C> remainder = r * r * series + r;
  BitsVec<C> exponent = (reinterpret_cast<BitsVec<C>>(shifted) << K::kMantissa) +
                        (static_cast<typename VectorOf<C>::Bits>(K::kBias) << K::kMantissa);
  return {reinterpret_cast<Vec<C>>(exponent), remainder};
}

template <class C>
inline Vec<C> magnitude(Vec<C> x) {
  return x < 0 ? -x : x;
}

// One exponential of -|x| serves both signs, so nothing overflows.
template <class C>
inline Vec<C> sigmoid(Vec<C> x) {
  ScaledExpm1<C> e = scaled_expm1<C>(-magnitude<C>(x));
  Vec<C> exponential = e.scale * e.remainder + e.scale;
  Vec<C> numerator = x < 0 ? exponential : broadcast<C>(1);
  return numerator / (exponential + 1);
}

// Through expm1, which keeps the relative accuracy near zero that 1 - 2 / (exp(2x) + 1) loses.
template <class C>
inline Vec<C> tanh(Vec<C> x) {
  ScaledExpm1<C> e = scaled_expm1<C>(-2 * magnitude<C>(x));
  Vec<C> expm1 = e.scale * e.remainder + (e.scale - 1);
  Vec<C> result = expm1 / (expm1 + 2);
  return x < 0 ? result : 0 - result;
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
