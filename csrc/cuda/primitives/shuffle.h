#pragma once

#ifndef __CUDACC__
#include <primitives/shuffle.h>
#else

// Exchange between the lanes of a warp, which all 32 must join. It orders no memory.

namespace lrcn_fast::cuda {

template <class T>
__device__ __forceinline__ T shuffle_xor(T v, unsigned mask) {
  return __shfl_xor_sync(0xffffffffu, v, static_cast<int>(mask));
}

// From the lane `delta` further up; where there is none, the lane's own value.
template <class T>
__device__ __forceinline__ T shuffle_down(T v, unsigned delta) {
  return __shfl_down_sync(0xffffffffu, v, delta);
}

template <class T>
__device__ __forceinline__ T shuffle_from(T v, unsigned lane) {
  return __shfl_sync(0xffffffffu, v, static_cast<int>(lane));
}

}  // namespace lrcn_fast::cuda

#endif
