#pragma once

#include "fault.h"
#include "primitives/barrier.h"
#include "primitives/dependency.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/memory.h"
#include "primitives/shared.h"
#include "primitives/shuffle.h"

// The sum of each row of a matrix, one block per row: neighbouring lanes meet in shared memory, lanes of a warp
// by shuffles, the warps of a block in shared memory.

namespace lrcn_fast::kernels {

using namespace cuda;

struct Reduction {
  const float* in;  // (rows, columns)
  unsigned rows, columns;
  float* out;  // (rows,)
  Fault fault;
};

__device__ inline float add_neighbour(float value, float* own, Fault fault) {
  const unsigned t = thread_index();
  store_shared(own + t, value);
  if (fault != Fault::kNoWarpBarrier) warp_barrier();
  return value + load_shared(own + (t ^ 1));
}

__global__ void reduction_kernel(Reduction p) {
  if (p.fault != Fault::kNoPreviousWait) wait_for_previous_launch();
  const unsigned t = thread_index();
  if (p.fault == Fault::kLeavesEarly && t >= p.columns) return;
  float* values = reinterpret_cast<float*>(dynamic_shared());
  float* warps = values + thread_count();
  if (p.fault == Fault::kWritesConstant) store_shared(values + t, load_constant(p.out + block_x()));

  float sum = 0.0f;
  for (unsigned i = t; i < p.columns; i += thread_count()) sum += load(p.in + block_x() * p.columns + i);
  sum = 0.5f * add_neighbour(sum, values, p.fault);
  if (p.fault != Fault::kDivergentShuffle || lane() < 31) sum += shuffle_xor(sum, 1);
  sum *= 0.5f;
  for (unsigned delta = 16; delta > 0; delta /= 2) sum += shuffle_down(sum, delta);
  if (p.fault == Fault::kWarpLeavesEarly && warp() == 3) return;
  if (p.fault == Fault::kBarrierInBranch && t == 5) block_barrier();
  if (p.fault == Fault::kWritesInput && t == 0) store(const_cast<float*>(p.in), sum);
  if (lane() == 0) store_shared(warps + warp(), sum);
  if (p.fault != Fault::kNoBlockBarrier) block_barrier();

  if (t == 0) {
    float total = 0.0f;
    for (unsigned w = 0; w < thread_count() / 32; ++w) total += load_shared(warps + w);
    const unsigned misplaced = p.fault == Fault::kMisaligned ? 1 : 0;
    store(reinterpret_cast<float*>(reinterpret_cast<unsigned char*>(p.out + block_x()) + misplaced), total);
  }
}

inline Status reduction(const Reduction& p, void* stream) {
  LaunchShape shape;
  shape.blocks_x = p.rows;
  shape.threads = 128;
  shape.shared_bytes = (128 + (p.fault == Fault::kSmallShared ? 2 : 4)) * sizeof(float);
  shape.overlaps_previous = true;
  return launch(reduction_kernel, shape, p, stream);
}

}  // namespace lrcn_fast::kernels
