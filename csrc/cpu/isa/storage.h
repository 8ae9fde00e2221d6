#pragma once

#include "vector.h"

// Loads and stores between the element type in memory and the type that is computed in.
namespace lrcn_fast::cpu::LRCN_ISA {

struct BFloat16 {
  uint16_t bits;
};
struct Half {
  uint16_t bits;
};

template <class S>
struct ComputeOf {
  using Type = float;
};
template <>
struct ComputeOf<double> {
  using Type = double;
};
template <class S>
using Compute = typename ComputeOf<S>::Type;

using Words = uint16_t __attribute__((vector_size(LRCN_VECTOR_BYTES / 2)));
using UBits = Vec<uint32_t>;

template <class V, class S>
inline V load_raw(const S* source) {
  V value;
  memcpy(&value, source, sizeof(V));
  return value;
}

inline Vec<float> load(const float* source) { return load_raw<Vec<float>>(source); }
inline Vec<double> load(const double* source) { return load_raw<Vec<double>>(source); }
inline void store(float* target, Vec<float> value) { memcpy(target, &value, sizeof(value)); }
inline void store(double* target, Vec<double> value) { memcpy(target, &value, sizeof(value)); }

inline Vec<float> load(const BFloat16* source) {
  UBits wide = __builtin_convertvector(load_raw<Words>(source), UBits);
  return reinterpret_cast<Vec<float>>(wide << 16);
}

// Round to nearest even; a NaN keeps its upper bits and is made quiet.
inline void store(BFloat16* target, Vec<float> value) {
  UBits bits = reinterpret_cast<UBits>(value);
  UBits rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  UBits quiet = (bits >> 16) | 0x40;
  UBits result = value == value ? rounded : quiet;
  Words words = __builtin_convertvector(result, Words);
  memcpy(target, &words, sizeof(words));
}

#if defined(__AVX512F__)
// The masked forms, because GCC 12 warns of the undefined vector that the others pass along.
inline Vec<float> load(const Half* source) {
  return reinterpret_cast<Vec<float>>(_mm512_maskz_cvtph_ps(0xffff, load_raw<__m256i>(source)));
}
inline void store(Half* target, Vec<float> value) {
  __m256i words = _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT);
  memcpy(target, &words, sizeof(words));
}
#elif defined(__F16C__)
inline Vec<float> load(const Half* source) {
  return reinterpret_cast<Vec<float>>(_mm256_cvtph_ps(load_raw<__m128i>(source)));
}
inline void store(Half* target, Vec<float> value) {
  __m128i words = _mm256_cvtps_ph(reinterpret_cast<__m256>(value), _MM_FROUND_TO_NEAREST_INT);
  memcpy(target, &words, sizeof(words));
}
#else
// Exact by multiplication: a half's exponent is rebiased by 2^112, which also makes subnormals normal.
inline Vec<float> load(const Half* source) {
  UBits wide = __builtin_convertvector(load_raw<Words>(source), UBits);
  Vec<float> scaled = reinterpret_cast<Vec<float>>((wide & 0x7fff) << 13) * 0x1p112f;
  UBits bits = reinterpret_cast<UBits>(scaled);
  UBits special = bits | 0x7f800000;
  bits = (wide & 0x7c00) == 0x7c00 ? special : bits;
  return reinterpret_cast<Vec<float>>(bits | ((wide & 0x8000) << 16));
}
// Round to nearest even. Adding 0.5 lines a subnormal result up with the low bits of the sum.
inline void store(Half* target, Vec<float> value) {
  UBits bits = reinterpret_cast<UBits>(value);
  UBits sign = (bits >> 16) & 0x8000;
  bits &= 0x7fffffff;
  UBits normal = (bits + 0xfff + ((bits >> 13) & 1) - (112u << 23)) >> 13;
  UBits subnormal = reinterpret_cast<UBits>(reinterpret_cast<Vec<float>>(bits) + 0.5f) - 0x3f000000;
  UBits infinite = UBits{} + 0x7c00;
  UBits quiet = UBits{} + 0x7e00;
  UBits result = bits < (113u << 23) ? subnormal : normal;
  result = bits >= 0x477ff000u ? infinite : result;
  result = bits > 0x7f800000u ? quiet : result;
  Words words = __builtin_convertvector(result | sign, Words);
  memcpy(target, &words, sizeof(words));
}
#endif

#if defined(__AVX512F__)
inline Vec<float> load_masked(const float* source, int64_t count) {
  return reinterpret_cast<Vec<float>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), source));
}
inline Vec<double> load_masked(const double* source, int64_t count) {
  return reinterpret_cast<Vec<double>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), source));
}
#endif

template <class S>
inline Vec<Compute<S>> load_masked(const S* source, int64_t count) {
  S lanes[kLanes<Compute<S>>] = {};
  memcpy(lanes, source, static_cast<size_t>(count) * sizeof(S));
  return load(lanes);
}

// The first `count` lanes; the others read as zero and are not written.
template <class S>
inline Vec<Compute<S>> load(const S* source, int64_t count) {
  return count >= kLanes<Compute<S>> ? load(source) : load_masked(source, count);
}

template <class S>
inline void store(S* target, Vec<Compute<S>> value, int64_t count) {
  if (count >= kLanes<Compute<S>>) return store(target, value);
  S lanes[kLanes<Compute<S>>];
  store(lanes, value);
  memcpy(target, lanes, static_cast<size_t>(count) * sizeof(S));
}

// What a value becomes by being stored.
template <class S>
inline Vec<Compute<S>> rounded(Vec<Compute<S>> value) {
  if constexpr (sizeof(S) == sizeof(Compute<S>)) return value;
  S lanes[kLanes<Compute<S>>];
  store(lanes, value);
  return load(lanes);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
