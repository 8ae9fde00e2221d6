#pragma once

#ifndef __CUDACC__
#include <primitives/shared.h>
#else

#include "primitives/words.h"

// The block's dynamic shared memory.

namespace lrcn_fast::cuda {

// 128-byte aligned.
__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char lrcn_dynamic_shared[];
  return lrcn_dynamic_shared;
}

template <class T>
__device__ __forceinline__ T load_shared(const T* p) {
  __builtin_assume(__isShared(p));
  return bits_as<T>(*reinterpret_cast<const Word<T>*>(p));
}

template <class T>
__device__ __forceinline__ void store_shared(T* p, T value) {
  __builtin_assume(__isShared(p));
  *reinterpret_cast<Word<T>*>(p) = bits_as<Word<T> >(value);
}

// As PTX names it.
__device__ __forceinline__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

}  // namespace lrcn_fast::cuda

#endif
