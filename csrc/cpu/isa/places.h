#pragma once

#include "lrcn_fast/relu_max_pool_lrn.h"
#include "storage.h"

// Places of windows: bytes in memory, as wide as values in a vector.
namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
using Bytes __attribute__((vector_size(LRCN_VECTOR_BYTES / sizeof(C)))) = uint8_t;

template <class C>
inline BitsVec<C> all_places(int64_t place) {
  return BitsVec<C>{} + static_cast<typename VectorOf<C>::Bits>(place);
}

// GCC's own conversions go through one lane after the other, but for those to bytes with AVX-512.
template <class C>
inline BitsVec<C> widened(const uint8_t* source) {
#if defined(__AVX512F__)
  if constexpr (sizeof(C) == 4)
    return reinterpret_cast<BitsVec<C>>(_mm512_maskz_cvtepu8_epi32(0xffff, load_raw<__m128i>(source)));
  if constexpr (sizeof(C) == 8)
    return reinterpret_cast<BitsVec<C>>(
        _mm512_maskz_cvtepu8_epi64(0xff, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source))));
#elif defined(__AVX2__)
  if constexpr (sizeof(C) == 4)
    return reinterpret_cast<BitsVec<C>>(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source))));
  if constexpr (sizeof(C) == 8)
    return reinterpret_cast<BitsVec<C>>(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(load_raw<int32_t>(source))));
#endif
  BitsVec<C> places;
  for (int64_t lane = 0; lane < kLanes<C>; ++lane) places[lane] = source[lane];
  return places;
}

template <class C>
inline Bytes<C> narrowed(BitsVec<C> places) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  if constexpr (sizeof(C) == 4) {
    const auto both = reinterpret_cast<__m256i>(places);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    const __m128i bytes = _mm_packus_epi16(words, words);
    return load_raw<Bytes<C>>(reinterpret_cast<const uint8_t*>(&bytes));
  }
#endif
  return __builtin_convertvector(places, Bytes<C>);
}

template <class C>
inline void store_places(uint8_t* target, BitsVec<C> places, int64_t count) {
  const Bytes<C> bytes = narrowed<C>(places);
  if (count >= kLanes<C>) {
    memcpy(target, &bytes, sizeof(bytes));
  } else {
    memcpy(target, &bytes, static_cast<size_t>(count));
  }
}

// The first `count` places; no place at all in the other lanes.
template <class C>
inline BitsVec<C> load_places(const uint8_t* source, int64_t count) {
  if (count >= kLanes<C>) return widened<C>(source);
  uint8_t bytes[kLanes<C>];
  memset(bytes, kBlockedPlace, sizeof(bytes));
  memcpy(bytes, source, static_cast<size_t>(count));
  return widened<C>(bytes);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
