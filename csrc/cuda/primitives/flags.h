#pragma once

#ifndef __CUDACC__
#include <primitives/flags.h>
#else

#include <cstdint>

#include "primitives/words.h"

// Words in global memory that blocks of a launch exchange, at the scope of the GPU. T is 4 or 8 bytes.

namespace lrcn_fast::cuda {

// Another block's value, at some time; orders nothing.
template <class T>
__device__ __forceinline__ T load_relaxed(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  if constexpr (sizeof(T) == 4) {
    std::uint32_t value;
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(__cvta_generic_to_global(p)) : "memory");
    return bits_as<T>(value);
  } else {
    std::uint64_t value;
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(__cvta_generic_to_global(p)) : "memory");
    return bits_as<T>(value);
  }
}

// The same, and all that its writer had done before its store_release is visible.
template <class T>
__device__ __forceinline__ T load_acquire(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  if constexpr (sizeof(T) == 4) {
    std::uint32_t value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(__cvta_generic_to_global(p)) : "memory");
    return bits_as<T>(value);
  } else {
    std::uint64_t value;
    asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(__cvta_generic_to_global(p)) : "memory");
    return bits_as<T>(value);
  }
}

template <class T>
__device__ __forceinline__ void store_relaxed(T* p, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(p)),
                 "r"(bits_as<std::uint32_t>(value))
                 : "memory");
  } else {
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(__cvta_generic_to_global(p)),
                 "l"(bits_as<std::uint64_t>(value))
                 : "memory");
  }
}

template <class T>
__device__ __forceinline__ void store_release(T* p, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(p)),
                 "r"(bits_as<std::uint32_t>(value))
                 : "memory");
  } else {
    asm volatile("st.release.gpu.global.u64 [%0], %1;" ::"l"(__cvta_generic_to_global(p)),
                 "l"(bits_as<std::uint64_t>(value))
                 : "memory");
  }
}

// Adds, as store_release stores. Who waits for a sum with load_acquire sees what every adder had done before.
__device__ __forceinline__ void add_release(std::uint32_t* p, std::uint32_t value) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(p)), "r"(value) : "memory");
}

// What this thread has done, or seen of others, comes before what it does next, for all of the GPU.
__device__ __forceinline__ void fence_gpu() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// 16 bytes that become visible together, so that data can carry its own flag. They order nothing else.
__device__ __forceinline__ Words4 load_words(const Words4* p) {
  std::uint64_t low, high;
  asm volatile("{ .reg .b128 v; ld.relaxed.gpu.global.b128 v, [%2]; mov.b128 {%0, %1}, v; }"
               : "=l"(low), "=l"(high)
               : "l"(__cvta_generic_to_global(p))
               : "memory");
  return {{static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32), static_cast<std::uint32_t>(high),
           static_cast<std::uint32_t>(high >> 32)}};
}

__device__ __forceinline__ void store_words(Words4* p, const Words4& value) {
  const std::uint64_t low = value.word[0] | static_cast<std::uint64_t>(value.word[1]) << 32;
  const std::uint64_t high = value.word[2] | static_cast<std::uint64_t>(value.word[3]) << 32;
  asm volatile(
      "{ .reg .b128 v; mov.b128 v, {%1, %2}; st.relaxed.gpu.global.b128 [%0], v; }" ::"l"(__cvta_generic_to_global(p)),
      "l"(low), "l"(high)
      : "memory");
}

}  // namespace lrcn_fast::cuda

#endif
