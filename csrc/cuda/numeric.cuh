#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

// Element types as they lie in memory, and the type that is calculated with: float, or double for double.

namespace lrcn_fast {

template <typename T>
struct Numeric {
  using Real = T;
  static __device__ Real load(const T* address) { return *address; }
  static __device__ void store(T* address, Real value) { *address = value; }
};

template <>
struct Numeric<__half> {
  using Real = float;
  static __device__ Real load(const __half* address) { return __half2float(*address); }
  static __device__ void store(__half* address, Real value) { *address = __float2half_rn(value); }
};

template <>
struct Numeric<__nv_bfloat16> {
  using Real = float;
  static __device__ Real load(const __nv_bfloat16* address) { return __bfloat162float(*address); }
  static __device__ void store(__nv_bfloat16* address, Real value) { *address = __float2bfloat16_rn(value); }
};

template <typename T>
__device__ typename Numeric<T>::Real load_or_zero(const void* buffer, std::int64_t offset) {
  using Real = typename Numeric<T>::Real;
  return buffer == nullptr ? Real(0) : Numeric<T>::load(static_cast<const T*>(buffer) + offset);
}

// exp overflows to infinity for large -x, which gives the right limit, 0.
inline __device__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
inline __device__ double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

inline __device__ float hyperbolic_tangent(float x) { return tanhf(x); }
inline __device__ double hyperbolic_tangent(double x) { return tanh(x); }

}  // namespace lrcn_fast
