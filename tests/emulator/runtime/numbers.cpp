#include "primitives/numbers.h"

#include <cstring>
#include <vector>

namespace lrcn_fast::cuda {
namespace {

constexpr std::uint16_t kNan = 0x7fff;

std::uint32_t bits_of(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof(bits));
  return bits;
}

float from_bits(std::uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, sizeof(v));
  return v;
}

// Drops the lower bits of `value`, to nearest, ties to even.
std::uint32_t shift_rounded(std::uint32_t value, unsigned shift) {
  const std::uint32_t half = std::uint32_t{1} << (shift - 1);
  const std::uint32_t odd = (value >> shift) & 1;
  return (value + half - 1 + odd) >> shift;
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ffu;
  if (exponent == 31) return from_bits(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return from_bits(sign | bits_of(magnitude));
}

}  // namespace

float to_real(half_t v) {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (std::uint32_t bits = 0; bits < values.size(); ++bits) {
      values[bits] = half_to_float(static_cast<std::uint16_t>(bits));
    }
    return values;
  }();
  return table[v.bits];
}

float to_real(bfloat16_t v) { return from_bits(static_cast<std::uint32_t>(v.bits) << 16); }

half_t to_half(float v) {
  const std::uint32_t bits = bits_of(v), magnitude = bits & 0x7fffffffu;
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  if (magnitude > 0x7f800000u) return {kNan};
  // 65520 and above round to infinity.
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};
  const std::uint32_t exponent = magnitude >> 23;
  std::uint32_t rounded;
  if (exponent >= 113) {
    rounded = shift_rounded(magnitude - (112u << 23), 13);
  } else if (exponent >= 102) {
    // A subnormal: its unit in the last place is 2^-24.
    rounded = shift_rounded((magnitude & 0x7fffffu) | 0x800000u, 126 - exponent);
  } else {
    rounded = 0;
  }
  return {static_cast<std::uint16_t>(sign | rounded)};
}

bfloat16_t to_bfloat16(float v) {
  const std::uint32_t bits = bits_of(v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {kNan};
  // The sign bit takes no part in a carry: infinity is where the largest values end.
  return {static_cast<std::uint16_t>(bits >> 31 << 15 | shift_rounded(bits & 0x7fffffffu, 16))};
}

}  // namespace lrcn_fast::cuda
