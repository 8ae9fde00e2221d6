#pragma once

#include "primitives/async_copy.h"
#include "primitives/barrier.h"
#include "primitives/cluster.h"
#include "primitives/dependency.h"
#include "primitives/flags.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/matrix.h"
#include "primitives/mbarrier.h"
#include "primitives/memory.h"
#include "primitives/shuffle.h"

// What no other kernel of this folder uses, one row of results each. Clusters of two blocks of one warp.

namespace lrcn_fast::kernels {

using namespace cuda;

struct Assorted {
  const float* in;          // (32,)
  float* out;               // (blocks, kRows, 32)
  std::uint32_t* arrivals;  // zero
  std::uint64_t* flags;     // (blocks,) zeros
};

constexpr unsigned kRows = 10;

struct AssortedShared {
  float* values;   // (32,)
  float* copied;   // (2, 32)
  half_t* matrix;  // (8, 8)
  Mbarrier* barrier;
};

__device__ inline float* row_of(const Assorted& p, unsigned block, unsigned row) {
  return p.out + (block * kRows + row) * 32 + lane();
}

// A barrier of the grid, by a counter, and then one by 8-byte flags.
__device__ inline void meet_other_blocks(const Assorted& p) {
  const unsigned own = block_x(), other = (own + 1) % blocks_x();
  store(row_of(p, own, 0), 100.0f * own);
  block_barrier();
  if (lane() == 0) add_release(p.arrivals, 1);
  while (load_acquire(p.arrivals) < blocks_x()) {
  }
  store(row_of(p, own, 1), load(row_of(p, other, 0)));
  block_barrier();
  if (lane() == 0) {
    store_release(p.flags + own, std::uint64_t{1} << 40);
    while (load_relaxed(p.flags + other) == 0) {
    }
    fence_gpu();
  }
  block_barrier();
  store(row_of(p, own, 2), load(row_of(p, other, 1)));
}

__device__ inline void copy_small_pieces(const Assorted& p, const AssortedShared& shared) {
  copy_async<4>(shared.copied + lane(), p.in + lane());
  // Of two floats the first is read, and the other is zero.
  if (lane() < 16) copy_async<8>(shared.copied + 32 + 2 * lane(), p.in + 2 * lane(), 4);
  copy_async_commit();
  copy_async_wait<0>();
  warp_barrier();
  store(row_of(p, block_x(), 3), load_shared(shared.copied + lane()));
  store(row_of(p, block_x(), 4), load_shared(shared.copied + 32 + lane()));
}

__device__ inline void load_matrices(const Assorted& p, const AssortedShared& shared) {
  for (unsigned i = lane(); i < 64; i += 32) store_shared(shared.matrix + i, to_storage<half_t>(static_cast<float>(i)));
  warp_barrier();
  std::uint32_t whole[1], turned[1], twice[4];
  const half_t* row = shared.matrix + lane() % 8 * 8;
  load_matrix(whole, row);
  load_matrix_transposed(turned, row);
  load_matrix_transposed(twice, row);
  const auto low = [](std::uint32_t pair) { return to_real(bits_as<half_t>(static_cast<std::uint16_t>(pair))); };
  const auto high = [](std::uint32_t pair) { return to_real(bits_as<half_t>(static_cast<std::uint16_t>(pair >> 16))); };
  store(row_of(p, block_x(), 5), low(whole[0]) + 1000.0f * high(whole[0]));
  store(row_of(p, block_x(), 6), low(turned[0]) + 1000.0f * high(twice[3]));
}

__device__ inline void meet_at_mbarrier(const Assorted& p, const AssortedShared& shared) {
  if (lane() == 0) mbarrier_init(shared.barrier, 32);
  block_barrier();
  store_shared(shared.values + lane(), static_cast<float>(lane()));
  mbarrier_arrive(shared.barrier);
  mbarrier_wait(shared.barrier, 0);
  store(row_of(p, block_x(), 7), load_shared(shared.values + (lane() ^ 1)));
}

__global__ void assorted_kernel(Assorted p) {
  let_next_launch_begin();
  prefetch(p.in);
  AssortedShared shared;
  shared.values = reinterpret_cast<float*>(dynamic_shared());
  shared.copied = shared.values + 32;
  shared.matrix = reinterpret_cast<half_t*>(shared.copied + 64);
  shared.barrier = reinterpret_cast<Mbarrier*>(shared.matrix + 64);

  meet_other_blocks(p);
  copy_small_pieces(p, shared);
  load_matrices(p, shared);
  meet_at_mbarrier(p, shared);
  store(row_of(p, block_x(), 8), shuffle_from(static_cast<float>(lane()), 5));

  block_barrier();
  store_shared(shared.values + lane(), static_cast<float>(32 * block_x() + lane()));
  cluster_barrier();
  store(row_of(p, block_x(), 9), load_peer(shared.values + lane(), 1 - cluster_rank()));
  cluster_barrier();
}

inline Status assorted(const Assorted& p, void* stream) {
  LaunchShape shape;
  shape.blocks_x = 4;
  shape.cluster = 2;
  shape.shared_bytes = 96 * sizeof(float) + 64 * sizeof(half_t) + sizeof(Mbarrier);
  return launch(assorted_kernel, shape, p, stream);
}

}  // namespace lrcn_fast::kernels
