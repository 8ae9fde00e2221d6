#pragma once

#include <cstdint>

#include "primitives/memory.h"
#include "primitives/numbers.h"

// Elements of a buffer as the numbers that are calculated with, and the activations.

namespace lrcn_fast::cuda {

template <class T>
__device__ __forceinline__ Real<T> load_real(const T* p) {
  return to_real(load(p));
}

template <class T>
__device__ __forceinline__ Real<T> load_or_zero(const void* buffer, std::int64_t offset) {
  return buffer == nullptr ? Real<T>(0) : load_real(static_cast<const T*>(buffer) + offset);
}

// An element of an optional input that nobody writes while the launch runs.
template <class T>
__device__ __forceinline__ T element_or_zero(const void* buffer, std::int64_t offset) {
  if (buffer == nullptr) return to_storage<T>(Real<T>(0));
  return load_constant(static_cast<const T*>(buffer) + offset);
}

template <class T>
__device__ __forceinline__ void store_real(T* p, Real<T> value) {
  store(p, to_storage<T>(value));
}

// exp overflows to infinity for large -x, which gives the right limit, 0.
__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ __forceinline__ double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

__device__ __forceinline__ float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ __forceinline__ double hyperbolic_tangent(double x) { return tanh(x); }

}  // namespace lrcn_fast::cuda
