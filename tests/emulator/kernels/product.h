#pragma once

#include "fault.h"
#include "primitives/barrier.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/matrix.h"
#include "primitives/memory.h"

// A tile of a product by one warp: a (16, depth) times the transpose of b (8, depth).

namespace lrcn_fast::kernels {

using namespace cuda;

template <class T>
struct Product {
  const T* a;
  const T* b;
  unsigned depth;  // a multiple of 16
  float* out;      // (16, 8)
  Fault fault;
};

__device__ inline void store_tile(float* out, const float (&d)[4], Fault fault) {
  const bool swapped = fault == Fault::kWrongLanes;
  const unsigned group = swapped ? lane() % 8 : lane() / 4, member = swapped ? lane() / 8 : lane() % 4;
  for (unsigned i = 0; i < 4; ++i) store(out + (group + 8 * (i / 2)) * 8 + 2 * member + i % 2, d[i]);
}

// Both operands go through shared memory: a by rows, b as it lies and, to be transposed, as (depth, 8).
template <class T>
__global__ void product_kernel(Product<T> p) {
  T* a = reinterpret_cast<T*>(dynamic_shared());
  T* b = a + 16 * 16;
  T* b_turned = b + 8 * 16;
  float d[4] = {};
  for (unsigned k = 0; k < p.depth; k += 16) {
    warp_barrier();
    for (unsigned i = lane(); i < 16 * 16; i += 32)
      store_shared(a + i, load_constant(p.a + i / 16 * p.depth + k + i % 16));
    for (unsigned i = lane(); i < 8 * 16; i += 32) {
      const T value = load_constant(p.b + i / 16 * p.depth + k + i % 16);
      store_shared(b + i, value);
      store_shared(b_turned + i % 16 * 8 + i / 16, value);
    }
    if (p.fault != Fault::kNoWarpBarrier) warp_barrier();
    std::uint32_t fragment_a[4], fragment_b[2];
    // Matrices 0 and 1 are the upper and the lower rows, 2 and 3 the same 8 columns further on.
    const unsigned row = lane() % 16, column = lane() / 16 * 8;
    load_matrix(fragment_a, a + (p.fault == Fault::kWrongRows ? row ^ 8 : row) * 16 + column);
    if (k % 32 == 0) {
      load_matrix(fragment_b, b + lane() % 8 * 16 + lane() / 8 % 2 * 8);
    } else {
      load_matrix_transposed(fragment_b, b_turned + lane() % 16 * 8);
    }
    mma(d, fragment_a, fragment_b, T{});
  }
  store_tile(p.out, d, p.fault);
}

__global__ void product_tf32_kernel(Product<float> p) {
  const unsigned group = lane() / 4, member = lane() % 4;
  const auto operand = [&](const float* x) {
    const float value = load_constant(x);
    return p.fault == Fault::kNotRounded ? bits_as<std::uint32_t>(value) : to_tf32(value);
  };
  float d[4] = {};
  for (unsigned k = 0; k < p.depth; k += 8) {
    std::uint32_t a[4], b[2];
    for (unsigned i = 0; i < 4; ++i) a[i] = operand(p.a + (group + 8 * (i % 2)) * p.depth + k + member + 4 * (i / 2));
    for (unsigned i = 0; i < 2; ++i) b[i] = operand(p.b + group * p.depth + k + member + 4 * i);
    mma_tf32(d, a, b);
  }
  store_tile(p.out, d, p.fault);
}

template <class T>
Status product(const Product<T>& p, void* stream) {
  LaunchShape shape;
  shape.shared_bytes = (16 * 16 + 2 * 8 * 16) * sizeof(T);
  return launch(product_kernel<T>, shape, p, stream);
}

template <>
inline Status product<float>(const Product<float>& p, void* stream) {
  return launch(product_tf32_kernel, LaunchShape{}, p, stream);
}

}  // namespace lrcn_fast::kernels
