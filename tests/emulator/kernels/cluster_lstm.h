#pragma once

#include "fault.h"
#include "primitives/async_copy.h"
#include "primitives/barrier.h"
#include "primitives/cluster.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/mbarrier.h"
#include "primitives/memory.h"
#include "primitives/numbers.h"

// An LSTM whose state never leaves a cluster: each block owns 32 units and pushes their h into the shared memory
// of all blocks, where a barrier counts the bytes, or the arrivals. Two buffers: a block writes step s + 1 only
// after it has waited for step s, which nobody sends before having read step s - 1.

namespace lrcn_fast::kernels {

using namespace cuda;

enum class Push { kStoreAsync, kStorePeer, kBulk };

struct ClusterLstm {
  const float* w;      // (4H, H), gates i, f, g, o
  const float* gates;  // (T, 4H)
  unsigned hidden, steps;
  float* out;  // (T, H)
  Push push;
  Fault fault;
};

struct ClusterShared {
  float* h;        // (2, H)
  float* own;      // (2, 32)
  Mbarrier* full;  // (2,)
};

__device__ inline float gate_of(const ClusterLstm& p, const float* h, unsigned step, unsigned gate, unsigned unit) {
  const unsigned row = gate * p.hidden + unit;
  float sum = load_constant(p.gates + step * 4 * p.hidden + row);
  for (unsigned j = 0; j < p.hidden; ++j) {
    sum = multiply_add(load_constant(p.w + row * p.hidden + j), load_shared(h + j), sum);
  }
  return sum;
}

__device__ inline float sigmoid_of(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ inline void push_state(const ClusterLstm& p, const ClusterShared& shared, unsigned slot, float value) {
  const unsigned t = thread_index(), first = cluster_rank() * 32;
  float* to = shared.h + slot * p.hidden + first;
  Mbarrier* barrier = shared.full + slot;
  if (p.push == Push::kStoreAsync) {
    for (unsigned rank = 0; rank < cluster_size(); ++rank) store_async(to + t, rank, value, barrier);
  } else if (p.push == Push::kStorePeer) {
    for (unsigned rank = 0; rank < cluster_size(); ++rank) {
      if (p.fault == Fault::kFlagFirst) mbarrier_arrive_peer(barrier, rank);
      store_peer(to + t, rank, value);
      if (p.fault != Fault::kFlagFirst) mbarrier_arrive_peer(barrier, rank);
    }
  } else {
    float* own = shared.own + slot * 32;
    store_shared(own + t, value);
    if (p.fault != Fault::kNoAsyncFence) fence_async_copy();
    if (p.fault != Fault::kNoBlockBarrier) block_barrier();
    if (t < cluster_size()) copy_bulk_to_peer(to, t, own, 32 * sizeof(float), barrier);
  }
}

__global__ void cluster_lstm_kernel(ClusterLstm p) {
  const unsigned t = thread_index(), unit = cluster_rank() * 32 + t;
  const bool counts_bytes = p.push != Push::kStorePeer;
  ClusterShared shared;
  shared.h = reinterpret_cast<float*>(dynamic_shared());
  shared.own = shared.h + 2 * p.hidden;
  shared.full = reinterpret_cast<Mbarrier*>(shared.own + 2 * 32);
  for (unsigned j = t; j < p.hidden; j += 32) store_shared(shared.h + j, 0.0f);
  if (t < 2) {
    mbarrier_init(shared.full + t, counts_bytes ? 1 : p.hidden);
    mbarrier_init_fence();
  }
  if (p.fault == Fault::kNoClusterBarrier) {
    block_barrier();
  } else {
    cluster_barrier();
  }

  unsigned bytes = p.hidden * sizeof(float);
  if (p.fault == Fault::kWrongBytes) bytes -= 32 * sizeof(float);
  float c = 0.0f;
  for (unsigned step = 0; step < p.steps; ++step) {
    const unsigned slot = step % 2, next = p.fault == Fault::kSwappedBuffers ? slot : 1 - slot;
    const float* h = shared.h + slot * p.hidden;
    const float i = sigmoid_of(gate_of(p, h, step, 0, unit)), f = sigmoid_of(gate_of(p, h, step, 1, unit));
    const float g = tanhf(gate_of(p, h, step, 2, unit)), o = sigmoid_of(gate_of(p, h, step, 3, unit));
    c = f * c + i * g;
    const float value = o * tanhf(c);
    store(p.out + step * p.hidden + unit, value);
    if (p.fault == Fault::kLeavesEarly && step == 1 && cluster_rank() == 1) return;
    if (t == 0 && counts_bytes) mbarrier_arrive_expect(shared.full + next, bytes);
    // All of the block have read this step's h before another block can learn that it may be overwritten.
    block_barrier();
    push_state(p, shared, next, value);
    const unsigned parity = (p.fault == Fault::kWrongParity ? step / 2 + 1 : step / 2) % 2;
    if (p.fault == Fault::kBlockScope) {
      mbarrier_wait(shared.full + next, parity);
    } else {
      mbarrier_wait_cluster(shared.full + next, parity);
    }
  }
  // No block ends while a peer may reach into its shared memory.
  cluster_barrier();
}

inline Status cluster_lstm(const ClusterLstm& p, void* stream) {
  LaunchShape shape;
  shape.blocks_x = shape.cluster = p.hidden / 32;
  shape.shared_bytes = (2 * p.hidden + 2 * 32) * sizeof(float) + 2 * sizeof(Mbarrier);
  return launch(cluster_lstm_kernel, shape, p, stream);
}

}  // namespace lrcn_fast::kernels
