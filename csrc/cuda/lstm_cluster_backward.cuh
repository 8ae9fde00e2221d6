#pragma once

#include "lstm_unit.cuh"
#include "primitives/cluster.h"
#include "primitives/mbarrier.h"
#include "stationary.cuh"

// lstm_cluster_forward.cuh walked backwards. What travels are the gate gradients, four for each hidden unit; the rows
// of the product are hidden units, its depth are the gates of all of them, gate by gate.

namespace lrcn_fast::cuda {

struct ClusterBackward {
  LstmBackward scans[kMostScans];  // one for each block_y()
};

// kTiles: sixteens of hidden units a block owns. The others: see Stationary.
template <class P, int kTiles, int kChunks, int kInRegisters, int kBatch>
struct ClusterBackwardShape {
  static constexpr int kWarps = 8;
  using Product = Stationary<P, kWarps, 1, kWarps / kTiles, kChunks, kInRegisters, kBatch>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 16 * kTiles;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth / 4;
  static constexpr unsigned kBlocks = kHidden / kUnits;
  static constexpr int kPiece = 16 / sizeof(T);
  static constexpr int kPieces = kRows * 4 * kUnits / kPiece;
  static constexpr int kItems = kRows * kUnits / static_cast<int>(Product::kThreads);
  static constexpr int kItemsOfThread = kItems > 0 ? kItems : 1;

  static constexpr std::size_t kWeightsAt = 2 * Product::kStateBytes;
  static constexpr std::size_t kPartialAt = kWeightsAt + Product::kWeightBytes;
  static constexpr std::size_t kOutgoingAt = kPartialAt + Product::kPartialBytes;
  static constexpr std::size_t kBarriersAt = kOutgoingAt + sizeof(T) * kRows * 4 * kUnits;
  static constexpr std::size_t kSharedBytes = kBarriersAt + 2 * sizeof(Mbarrier);
};

template <class P, int kTiles, int kChunks, int kInRegisters, int kBatch>
__device__ void walk_backward(const ClusterBackward& call) {
  using Shape = ClusterBackwardShape<P, kTiles, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  constexpr int kWarps = Shape::kWarps;
  const LstmBackward& args = call.scans[block_y()];
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden;
  const int rank = static_cast<int>(cluster_rank());
  const std::int64_t first_row = static_cast<std::int64_t>(block_x() / Shape::kBlocks) * Shape::kRows;
  const std::int64_t first_unit = static_cast<std::int64_t>(rank) * Shape::kUnits;

  unsigned char* shared = dynamic_shared();
  T* states = reinterpret_cast<T*>(shared);
  Sum* partial = reinterpret_cast<Sum*>(shared + Shape::kPartialAt);
  T* outgoing = reinterpret_cast<T*>(shared + Shape::kOutgoingAt);
  Mbarrier* arrived = reinterpret_cast<Mbarrier*>(shared + Shape::kBarriersAt);
  constexpr int kStateElements = Shape::kRows * Product::kPitch;
  constexpr unsigned kStepBytes = sizeof(T) * Shape::kRows * 4 * Shape::kHidden;

  if (thread_index() == 0) {
    for (int n = 0; n < 2; ++n) {
      mbarrier_init(arrived + n, 1);
      mbarrier_arrive_expect(arrived + n, kStepBytes);
    }
    mbarrier_init_fence();
  }
  Product product(shared + Shape::kWeightsAt);
  product.load_weights([&](int, int row, int k) -> typename Product::Piece {
    const std::int64_t unit = first_unit + Product::group() * 16 + row;
    const std::int64_t gate = k / Shape::kHidden, other = k % Shape::kHidden;
    const T* weights = static_cast<const T*>(shape.weight_hh) + (gate * hidden + other) * hidden + unit;
    return {weights, hidden, unit < hidden ? hidden - other : 0};
  });
  struct Item {
    std::int64_t b, unit, length;
    int row, column;  // in the block; row -1: none
    bool exists;
    bool walked;     // the row has done a step
    bool carried;    // into that step
    bool was_first;  // of the row's scan: the gradient at its initial state is next
    Sum grad_c;      // handed back by it
    UnitBackward<T> next;
  };
  Item items[Shape::kItemsOfThread];
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? n : shape.steps - 1 - n; };
  const auto load_step = [&](Item& item, std::int64_t n) {
    const std::int64_t t = step_at(n);
    if (!item.exists || n >= shape.steps || t >= item.length) return;
    const bool at_first = t == 0, at_last = t + 1 == item.length;
    item.next.load(args, t, item.b, item.unit, item.length, shape.reverse ? at_last : at_first,
                   shape.reverse ? at_first : at_last);
  };
#pragma unroll
  for (int n = 0; n < Shape::kItemsOfThread; ++n) {
    Item& item = items[n];
    const int place = static_cast<int>(warp()) + n * kWarps;
    const int octet = place % (2 * kTiles), eight = place / (2 * kTiles) / 2, odd = place / (2 * kTiles) % 2;
    const bool owned = eight < kBatch;
    item.column = octet * 8 + static_cast<int>(lane() / 4);
    item.row = owned ? eight * 8 + static_cast<int>(lane() % 4) * 2 + odd : -1;
    item.b = first_row + item.row;
    item.unit = first_unit + item.column;
    item.exists = owned && item.b < shape.batch && item.unit < hidden;
    item.length = item.exists ? length_of(shape, item.b) : 0;
    item.walked = item.carried = item.was_first = false;
    item.grad_c = 0;
    if (item.exists && item.length == 0) {
      const std::int64_t at = item.b * hidden + item.unit;
      store(static_cast<T*>(args.grad_h0) + at, element_or_zero<T>(args.grad_h_n, at));
      store(static_cast<T*>(args.grad_c0) + at, element_or_zero<T>(args.grad_c_n, at));
    }
    load_step(item, 0);
  }
  cluster_barrier();

  // One turn more than steps: the last one leaves the gradient at the initial state.
  for (std::int64_t n = 0; n <= shape.steps; ++n) {
    const std::int64_t t = step_at(n);
    const int buffer = static_cast<int>(n % 2);
    if (n > 0) {
      mbarrier_wait_cluster(arrived + buffer, static_cast<unsigned>((n - 1) / 2 % 2));
      if (thread_index() == 0) mbarrier_arrive_expect(arrived + buffer, kStepBytes);
      product.multiply(states + buffer * kStateElements, partial);
    }
    block_barrier();

#pragma unroll
    for (int m = 0; m < Shape::kItemsOfThread; ++m) {
      Item& item = items[m];
      if (item.row < 0) continue;
      Sum grads[4] = {};
      if (item.exists) {
        Sum recurrent = 0;
        if (item.walked && item.carried) {
          recurrent = Product::sum(partial, item.column / 16, 0, item.column % 16, item.row);
        }
        const std::int64_t at = item.b * hidden + item.unit;
        if (item.was_first) store_real(static_cast<T*>(args.grad_h0) + at, recurrent);
        item.was_first = false;
        if (n < shape.steps) {
          item.walked = t < item.length;
          if (item.walked) {
            item.next.retreat(recurrent, item.grad_c, grads);
            item.carried = item.next.carried;
            item.was_first = shape.reverse ? t + 1 == item.length : t == 0;
            if (item.was_first) store_real(static_cast<T*>(args.grad_c0) + at, item.grad_c);
          }
          T* grad_gates = static_cast<T*>(args.grad_gates) + frame_of(shape, t, item.b) * 4 * hidden + item.unit;
#pragma unroll
          for (int q = 0; q < 4; ++q) store_real(grad_gates + q * hidden, grads[q]);
          load_step(item, n + 1);
        }
      }
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        store_shared(outgoing + (item.row * 4 + q) * Shape::kUnits + item.column, to_storage<T>(grads[q]));
      }
    }
    if (n == shape.steps) break;
    block_barrier();

    T* target = states + (1 - buffer) * kStateElements + first_unit;
    for (int m = static_cast<int>(thread_index()); m < Shape::kPieces * static_cast<int>(Shape::kBlocks);
         m += static_cast<int>(Product::kThreads)) {
      const int piece = m % Shape::kPieces;
      const unsigned peer = static_cast<unsigned>(m / Shape::kPieces);
      const Words4 words = load_shared(reinterpret_cast<const Words4*>(outgoing + piece * Shape::kPiece));
      const int row_gate = piece * Shape::kPiece / Shape::kUnits, column = piece * Shape::kPiece % Shape::kUnits;
      T* place = target + row_gate / 4 * Product::kPitch + row_gate % 4 * Shape::kHidden + column;
      store_async(reinterpret_cast<Words4*>(place), peer, words, arrived + 1 - buffer);
    }
  }
  cluster_barrier();
}

template <class P, int kTiles, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_cluster_backward(const __grid_constant__ ClusterBackward call) {
  // Nobody launches it elsewhere, and compiling it there takes as long.
  if constexpr (has_clusters()) walk_backward<P, kTiles, kChunks, kInRegisters, kBatch>(call);
}

}  // namespace lrcn_fast::cuda
