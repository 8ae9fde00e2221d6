#pragma once

#include <cstdint>

#include "primitives/memory.h"
#include "primitives/numbers.h"

namespace lrcn_fast::cuda {

// exp overflows to infinity for large -x, which gives the right limit, 0.
__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ inline double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

__device__ inline float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ inline double hyperbolic_tangent(double x) { return tanh(x); }

// An element of an optional input.
template <class T>
__device__ T element_or_zero(const void* buffer, std::int64_t offset) {
  if (buffer == nullptr) return to_storage<T>(Real<T>(0));
  return load_constant(static_cast<const T*>(buffer) + offset);
}

}  // namespace lrcn_fast::cuda
