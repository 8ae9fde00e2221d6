#pragma once

#include "fault.h"
#include "primitives/async_copy.h"
#include "primitives/barrier.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/mbarrier.h"
#include "primitives/memory.h"

// Doubles an array tile by tile; while one tile is worked on, the next one is on its way into the other buffer.

namespace lrcn_fast::kernels {

using namespace cuda;

struct Copies {
  const float* in;
  unsigned count;  // of floats
  float* out;
  bool bulk;  // then count is a multiple of 4
  Fault fault;
};

constexpr unsigned kTile = 64;  // floats of a tile, one per thread

__global__ void copy_async_kernel(Copies p) {
  const unsigned t = thread_index(), tiles = (p.count + kTile - 1) / kTile;
  float* buffers = reinterpret_cast<float*>(dynamic_shared());
  const auto request = [&](unsigned tile) {
    const unsigned i = tile * kTile + 4 * t;
    if (tile < tiles && t < kTile / 4) {
      const unsigned bytes = i >= p.count ? 0 : 4 * (p.count - i < 4 ? p.count - i : 4);
      copy_async<16>(buffers + tile % 2 * kTile + 4 * t, p.in + (bytes > 0 ? i : 0), bytes);
    }
    copy_async_commit();
  };
  request(0);
  for (unsigned tile = 0; tile < tiles; ++tile) {
    request(tile + 1);
    if (p.fault == Fault::kNoCopyWait) {
      copy_async_wait<2>();
    } else {
      copy_async_wait<1>();
    }
    if (p.fault != Fault::kNoBlockBarrier) block_barrier();
    const unsigned i = tile * kTile + t;
    const float value = load_shared(buffers + (tile + (p.fault == Fault::kSwappedBuffers ? 1 : 0)) % 2 * kTile + t);
    if (i < p.count) store(p.out + i, 2.0f * value);
    block_barrier();
  }
}

__global__ void copy_bulk_kernel(Copies p) {
  const unsigned t = thread_index(), tiles = (p.count + kTile - 1) / kTile;
  float* buffers = reinterpret_cast<float*>(dynamic_shared());
  float* results = buffers + 2 * kTile;
  auto* full = reinterpret_cast<Mbarrier*>(results + 2 * kTile);
  const auto size = [&](unsigned tile) { return p.count - tile * kTile < kTile ? p.count - tile * kTile : kTile; };
  const auto request = [&](unsigned tile) {
    if (t != 0 || tile >= tiles) return;
    const unsigned bytes = size(tile) * sizeof(float);
    mbarrier_arrive_expect(full + tile % 2, p.fault == Fault::kWrongBytes ? bytes + 16 : bytes);
    copy_bulk_to_shared(buffers + tile % 2 * kTile, p.in + tile * kTile, bytes, full + tile % 2);
  };
  if (t < 2) mbarrier_init(full + t, 1);
  mbarrier_init_fence();
  block_barrier();
  request(0);
  for (unsigned tile = 0; tile < tiles; ++tile) {
    request(tile + 1);
    mbarrier_wait(full + tile % 2, (p.fault == Fault::kWrongParity ? tile / 2 + 1 : tile / 2) % 2);
    float* result = results + tile % 2 * kTile;
    const unsigned read = tile + (p.fault == Fault::kSwappedBuffers ? 1 : 0);
    if (t < size(tile)) store_shared(result + t, 2.0f * load_shared(buffers + read % 2 * kTile + t));
    if (p.fault != Fault::kNoAsyncFence) fence_async_copy();
    if (p.fault != Fault::kNoBlockBarrier) block_barrier();
    if (t == 0) {
      copy_bulk_to_global(p.out + tile * kTile, result, size(tile) * sizeof(float));
      copy_bulk_commit();
      // The other result's copy must have ended before the next tile goes there.
      if (p.fault != Fault::kNoCopyWait) copy_bulk_wait<1>();
    }
    block_barrier();
  }
  if (t == 0) copy_bulk_wait<0>();
}

inline Status copies(const Copies& p, void* stream) {
  LaunchShape shape;
  shape.threads = kTile;
  shape.shared_bytes = p.bulk ? 4 * kTile * sizeof(float) + 2 * sizeof(Mbarrier) : 2 * kTile * sizeof(float);
  return launch(p.bulk ? copy_bulk_kernel : copy_async_kernel, shape, p, stream);
}

}  // namespace lrcn_fast::kernels
