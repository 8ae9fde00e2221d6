#pragma once

#include "activation.h"
#include "storage.h"

// The activations of gates and cells whose values are stored as S.
namespace lrcn_fast::cpu::LRCN_ISA {

template <class S>
struct GateMath {
  using C = Compute<S>;
  static Vec<C> sigmoid(Vec<C> x) { return cpu::LRCN_ISA::sigmoid<C>(x); }
  static Vec<C> tanh(Vec<C> x) { return cpu::LRCN_ISA::tanh<C>(x); }
};

#if defined(__AVX512F__)

// Relative errors below 2^-17, where a stored value has one of 2^-9: with AVX512-BF16 the products take hardly longer
// than the full functions would. The series and the quotient are fitted for the least relative error.
template <>
struct GateMath<BFloat16> {
  // 1 / (1 + 2^y). Where 2^y would overflow, the smallest normal number stands for zero.
  static Vec<float> sigmoid(Vec<float> x) {
    constexpr float kMinusLog2E = -1.44269504088896340736f;
    const Vec<float> y = at_most<float>(x * kMinusLog2E, 126.0f);
    const Vec<float> r = reinterpret_cast<Vec<float>>(
        _mm512_maskz_reduce_ps(0xffff, reinterpret_cast<__m512>(y), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    Vec<float> series = 1.353417873e-2f * r + 5.201149343e-2f;
    series = series * r + 2.414426937e-1f;
    series = series * r + 6.930038610e-1f;
    series = series * r + 1.0000025909f;
    // y is rounded down here as it was for r.
    const Vec<float> power = reinterpret_cast<Vec<float>>(
        _mm512_maskz_scalef_ps(0xffff, reinterpret_cast<__m512>(series), reinterpret_cast<__m512>(y)));
    return reciprocal(power + 1);
  }

  static Vec<float> tanh(Vec<float> x) {
    x = at_most<float>(at_least<float>(x, -5.5f), 5.5f);
    const Vec<float> square = x * x;
    const Vec<float> above = (1.575992970e-3f * square + 1.157493719e-1f) * square + 9.999959401e-1f;
    Vec<float> below = 6.028520977e-5f * square + 1.796395796e-2f;
    below = (below * square + 4.490529897e-1f) * square + 1;
    return x * above * reciprocal(below);
  }

 private:
  // One step of Newton's method from an approximation of 14 bits.
  static Vec<float> reciprocal(Vec<float> x) {
    const Vec<float> guess = reinterpret_cast<Vec<float>>(_mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(x)));
    return guess * (2 - x * guess);
  }
};

#endif

}  // namespace lrcn_fast::cpu::LRCN_ISA
