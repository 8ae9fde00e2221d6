#pragma once

#ifndef __CUDACC__
#include <primitives/memory.h>
#else

#include "primitives/words.h"

// Global memory. T is trivially copyable, of 1, 2, 4, 8 or 16 bytes, and lies naturally aligned. The address
// space is told to the compiler, which does not see it through a pointer of a parameter struct.

namespace lrcn_fast::cuda {

template <class T>
__device__ __forceinline__ T load(const T* p) {
  __builtin_assume(__isGlobal(p));
  return bits_as<T>(*reinterpret_cast<const Word<T>*>(p));
}

// Of data that nobody writes while the launch runs.
template <class T>
__device__ __forceinline__ T load_constant(const T* p) {
  return bits_as<T>(__ldg(reinterpret_cast<const Word<T>*>(p)));
}

template <class T>
__device__ __forceinline__ void store(T* p, T value) {
  __builtin_assume(__isGlobal(p));
  *reinterpret_cast<Word<T>*>(p) = bits_as<Word<T> >(value);
}

// Into L2.
__device__ __forceinline__ void prefetch(const void* p) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(p)));
}

}  // namespace lrcn_fast::cuda

#endif
