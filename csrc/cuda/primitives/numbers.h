#pragma once

#ifndef __CUDACC__
#include <primitives/numbers.h>
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// Elements as they lie in memory, and the type that is calculated with. exp, expf, tanh and tanhf are plain calls.

namespace lrcn_fast::cuda {

using half_t = __half;
using bfloat16_t = __nv_bfloat16;

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

__device__ __forceinline__ float to_real(half_t v) { return __half2float(v); }
__device__ __forceinline__ float to_real(bfloat16_t v) { return __bfloat162float(v); }
__device__ __forceinline__ float to_real(float v) { return v; }
__device__ __forceinline__ double to_real(double v) { return v; }

// Rounds to nearest, ties to even.
template <class T>
__device__ __forceinline__ T to_storage(Real<T> v) {
  return v;
}
template <>
__device__ __forceinline__ half_t to_storage<half_t>(float v) {
  return __float2half_rn(v);
}
template <>
__device__ __forceinline__ bfloat16_t to_storage<bfloat16_t>(float v) {
  return __float2bfloat16_rn(v);
}

// a * b + c, rounded once.
__device__ __forceinline__ float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ __forceinline__ double multiply_add(double a, double b, double c) { return __fma_rn(a, b, c); }

}  // namespace lrcn_fast::cuda

#endif
