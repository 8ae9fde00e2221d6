#pragma once

#include <cstdint>

#include "primitives/barrier.h"
#include "primitives/dependency.h"
#include "primitives/ids.h"
#include "primitives/shared.h"
#include "products.cuh"

// The product of one block: kRows x 16 rows of states times kColumns x 8 rows of weights over their whole depth.
// The warps share out the depth, each keeps sums of the whole tile in registers, and shared memory adds them
// up in the order of the warps. The sum of a row therefore depends neither on the other rows nor on the run.

namespace lrcn_fast::cuda {

template <class P>
using StorageOf = typename P::Storage;
template <class P>
using SumOf = typename P::Sum;

// 16 bytes of a row from element k on; zero past its end and where there is no row. kVector: rows begin at
// multiples of 16 bytes and end there, so that a piece lies inside or outside as a whole.
template <bool kVector, class T, class Load>
__device__ Words4 load_piece(const T* row, std::int64_t k, std::int64_t depth, Load load_as) {
  constexpr int kElements = 16 / sizeof(T);
  struct Elements {
    T at[kElements];
  };
  Words4 piece{};
  if (row == nullptr || k >= depth) return piece;
  if constexpr (kVector) {
    return load_as(reinterpret_cast<const Words4*>(row + k));
  } else {
    Elements elements = bits_as<Elements>(piece);
#pragma unroll
    for (int e = 0; e < kElements; ++e) {
      if (k + e < depth) elements.at[e] = load_as(row + k + e);
    }
    return bits_as<Words4>(elements);
  }
}

template <class P, int kRows, int kColumns, bool kVector>
class Tile {
 public:
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  static constexpr unsigned kThreads = P::kWarps * 32;
  static constexpr int kItems = kRows * 16 * 8;  // (row, unit) pairs, each with kColumns sums
  static constexpr int kItemsOfThread = (kItems + static_cast<int>(kThreads) - 1) / static_cast<int>(kThreads);
  static constexpr std::size_t kSharedBytes = sizeof(Sum) * P::kWarps * kRows * kColumns * 128;

  // state_row(m) and weight_row(n, j): start of row m of the states, and of row j of the n-th eight of the
  // weights; null for a row of zeros. Weights are constant; states may come from the launch before.
  template <class StateRow, class WeightRow>
  __device__ void multiply(std::int64_t depth, StateRow state_row, WeightRow weight_row) {
    const int place = P::place(lane());
    const T* states[kRows][2];
    const T* weights[kColumns][P::kWeightOperands];
#pragma unroll
    for (int n = 0; n < kColumns; ++n) {
#pragma unroll
      for (int j = 0; j < P::kWeightOperands; ++j) weights[n][j] = weight_row(n, P::weight_row(lane(), j));
    }
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
      states[m][0] = state_row(m * 16 + static_cast<int>(lane() / 4));
      states[m][1] = state_row(m * 16 + static_cast<int>(lane() / 4) + 8);
    }

    const std::int64_t stride = P::kChunk * P::kWarps;
    std::int64_t chunk = static_cast<std::int64_t>(warp()) * P::kChunk;
    Operands ahead[kAhead];
#pragma unroll
    for (int n = 0; n < kAhead; ++n) ahead[n].load_weights(weights, chunk + n * stride + place, depth);
    // Weights come from memory while the launch before still runs: they are half of what a step reads.
    wait_for_previous_launch();
#pragma unroll
    for (int n = 0; n < kAhead; ++n) ahead[n].load_states(states, chunk + n * stride + place, depth);
    // Whole warps decide: a tensor core's product needs every thread of one.
    while (chunk < depth) {
#pragma unroll
      for (int n = 0; n < kAhead; ++n) {
        const Operands current = ahead[n];
        ahead[n].load_weights(weights, chunk + kAhead * stride + place, depth);
        ahead[n].load_states(states, chunk + kAhead * stride + place, depth);
        current.multiply(sums_);
        chunk += stride;
      }
    }
  }

  // Makes the sums of all warps readable by sum().
  __device__ void share() {
    Sum* partial = reinterpret_cast<Sum*>(dynamic_shared()) + warp() * kRows * kColumns * 128 + lane();
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
#pragma unroll
      for (int n = 0; n < kColumns; ++n) {
#pragma unroll
        for (int r = 0; r < 4; ++r) store_shared(partial + (m * kColumns + n) * 128 + r * 32, sums_[m][n][r]);
      }
    }
    block_barrier();
  }

  // Row `row` of the states times row `column` of the n-th eight of the weights.
  __device__ static Sum sum(int row, int column, int n) {
    const int r = row % 16 / 8 * 2 + column % 2;
    const int owner = row % 8 * 4 + column / 2;
    const Sum* partial =
        reinterpret_cast<const Sum*>(dynamic_shared()) + (row / 16 * kColumns + n) * 128 + r * 32 + owner;
    Sum total = 0;
#pragma unroll
    for (int w = 0; w < P::kWarps; ++w) total += load_shared(partial + w * kRows * kColumns * 128);
    return total;
  }

 private:
  struct Operands {
    Words4 states[kRows][2];
    Words4 weights[kColumns][P::kWeightOperands];

    __device__ void load_weights(const T* const (&rows)[kColumns][P::kWeightOperands], std::int64_t k,
                                 std::int64_t depth) {
      const auto constant = [](const auto* address) { return load_constant(address); };
#pragma unroll
      for (int n = 0; n < kColumns; ++n) {
#pragma unroll
        for (int j = 0; j < P::kWeightOperands; ++j)
          weights[n][j] = load_piece<kVector>(rows[n][j], k, depth, constant);
      }
    }
    __device__ void load_states(const T* const (&rows)[kRows][2], std::int64_t k, std::int64_t depth) {
      const auto changing = [](const auto* address) { return load(address); };
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
        states[m][0] = load_piece<kVector>(rows[m][0], k, depth, changing);
        states[m][1] = load_piece<kVector>(rows[m][1], k, depth, changing);
      }
    }
    __device__ void multiply(Sum (&sums)[kRows][kColumns][4]) const {
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
#pragma unroll
        for (int n = 0; n < kColumns; ++n) P::multiply(sums[m][n], states[m], weights[n]);
      }
    }
  };

  // Chunks that are asked for before they are needed, to hide the way from L2: as many as let two of the small
  // tiles share a multiprocessor, so that the next launch can load its weights beside this one.
  static constexpr int kOperandRegisters = 4 * (2 * kRows + P::kWeightOperands * kColumns);
  static constexpr int kAhead = kOperandRegisters <= 12 ? 4 : kOperandRegisters < 24 ? 2 : 1;

  Sum sums_[kRows][kColumns][4] = {};
};

}  // namespace lrcn_fast::cuda
