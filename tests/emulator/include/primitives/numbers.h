#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "emulator/qualifiers.h"

namespace lrcn_fast::cuda {

struct half_t {
  std::uint16_t bits;
};
struct bfloat16_t {
  std::uint16_t bits;
};

template <class T>
struct RealOf {
  using Type = float;
};
template <>
struct RealOf<double> {
  using Type = double;
};

template <class T>
using Real = typename RealOf<T>::Type;

float to_real(half_t v);
float to_real(bfloat16_t v);
inline float to_real(float v) { return v; }
inline double to_real(double v) { return v; }

// As the device does, to nearest, ties to even; every NaN becomes 0x7fff.
half_t to_half(float v);
bfloat16_t to_bfloat16(float v);

template <class T>
T to_storage(Real<T> v) {
  return v;
}
// The device's arithmetic makes this NaN alone, where the host's keeps the payload of its operand.
template <>
inline float to_storage<float>(float v) {
  constexpr std::uint32_t kNan = 0x7fffffff;
  if (v == v) return v;
  std::memcpy(&v, &kNan, sizeof(v));
  return v;
}
template <>
inline half_t to_storage<half_t>(float v) {
  return to_half(v);
}
template <>
inline bfloat16_t to_storage<bfloat16_t>(float v) {
  return to_bfloat16(v);
}

inline float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
inline double multiply_add(double a, double b, double c) { return std::fma(a, b, c); }

}  // namespace lrcn_fast::cuda
