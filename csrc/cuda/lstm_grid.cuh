#pragma once

#include "arriving.cuh"
#include "cluster_sums.cuh"
#include "lstm_unit.cuh"
#include "primitives/barrier.h"
#include "stationary.cuh"

// What both directions of the grid kernels are made of.

namespace lrcn_fast::cuda {

// One unit of one row of a slice, which a thread finishes; of all of them the item-th of a block that owns kOctets
// eights of units. Lanes lie as the sums do, so that reading them meets no bank twice.
template <int kOctets>
struct GridItem {
  int octet, quarter;  // of the warp: 8 units of 4 rows, every other one of 8
  int column, row;

  __device__ explicit GridItem(int item)
      : octet(item / 32 % kOctets),
        quarter(item / 32 / kOctets),
        column(octet * 8 + item % 32 / 4),
        row(row_of(item % 4)) {}
  __device__ int row_of(int nth) const { return quarter / 2 * 8 + nth * 2 + quarter % 2; }
};

// A warp's 8 units of 4 rows, kValues of each, meet in shared memory and leave as words of 16 bytes. target_of(row,
// value): where those of a row go, null for nowhere.
template <int kValues, class T, class TargetOf>
__device__ void leave_as_words(T* meeting, const T (&values)[kValues], TargetOf target_of) {
  constexpr int kWords = 8 * sizeof(T) / 16;
#pragma unroll
  for (int q = 0; q < kValues; ++q) {
    store_shared(meeting + (static_cast<int>(lane()) % 4 * kValues + q) * 8 + lane() / 4, values[q]);
  }
  warp_barrier();
#pragma unroll
  for (int word = static_cast<int>(lane()); word < 4 * kValues * kWords; word += 32) {
    T* target = target_of(word / kWords / kValues, word / kWords % kValues);
    if (target == nullptr) continue;
    store_words(reinterpret_cast<Words4*>(target) + word % kWords,
                load_shared(reinterpret_cast<const Words4*>(meeting) + word));
  }
  warp_barrier();
}

}  // namespace lrcn_fast::cuda
