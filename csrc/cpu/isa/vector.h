#pragma once

// Vectors of the instruction set that this translation unit is compiled for. Everything below csrc/cpu/isa
// lives in a namespace named after it and avoids the standard library: an inline function that two
// instruction sets share would be merged by the linker, and the wider one could run on a CPU without it.

#include <cstdint>
#include <cstring>

#include "lrcn_fast/types.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LRCN_VECTOR_BYTES 64
#elif defined(__AVX__)
#define LRCN_VECTOR_BYTES 32
#else
#define LRCN_VECTOR_BYTES 16
#endif

namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
struct VectorOf {
  using Bits = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct VectorOf<double> {
  using Bits = int64_t;
  using Unsigned = uint64_t;
};

template <class C>
using Vec __attribute__((vector_size(LRCN_VECTOR_BYTES))) = C;

template <class C>
using BitsVec = Vec<typename VectorOf<C>::Bits>;

template <class C>
inline constexpr int64_t kLanes = LRCN_VECTOR_BYTES / sizeof(C);

// Subtracting zero changes no value, not even -0, so this compiles to a bare broadcast.
template <class C>
inline Vec<C> broadcast(C value) {
  return value - Vec<C>{};
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
