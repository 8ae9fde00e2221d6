#pragma once

#include "lstm_grid.cuh"

// lstm_grid_forward.cuh walked backwards. A block owns 16 hidden units; what travels are the gate gradients, which the
// caller wants anyway. The depth of the product are the gates of all units, as W_hh and the gradients lie.

namespace lrcn_fast::cuda {

struct GridBackward {
  // workspace: what the blocks exchange, rows of four in_eights(hidden); it may be grad_gates itself.
  LstmBackward scans[kMostScans];  // one for each block_y()
};

// kShares: blocks of a cluster. The others: see Stationary.
template <class P, int kShares, int kChunks, int kInRegisters, int kBatch>
struct GridBackwardShape {
  static constexpr int kWarps = 8;
  // A tile for the 16 units of each block of the cluster.
  using Product = Stationary<P, kWarps, kShares, kWarps, kChunks, kInRegisters, kBatch, kShares>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 16;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth / 4;
  static constexpr unsigned kCluster = kShares;
  // A warp finishes 8 units of 4 rows.
  static constexpr int kFinishers = 4 * kBatch;
  static_assert(kFinishers <= kWarps, "one round of all warps finishes a slice");
  using Sums = ClusterSums<SumOf<P>, 1, 32 * kFinishers, kShares>;

  static constexpr std::size_t kOutgoingAt = Product::kWeightBytes + 2 * Product::kPartialBytes;
  static constexpr std::size_t kSumsAt = kOutgoingAt + sizeof(T) * kFinishers * 128;
  static constexpr std::size_t kCellsAt = kSumsAt + Sums::kBytes;
  static std::size_t shared_bytes(std::int64_t batch) {
    const std::int64_t slices = (batch + kRows - 1) / kRows;
    return kCellsAt + static_cast<std::size_t>(slices * kRows * kUnits) * sizeof(SumOf<P>);
  }
};

template <class P, int kShares, int kChunks, int kInRegisters, int kBatch>
__device__ void retreat_units(const GridBackward& call) {
  using Shape = GridBackwardShape<P, kShares, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using Sums = typename Shape::Sums;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  const LstmBackward& args = call.scans[block_y()];
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, width = in_eights(hidden);
  const std::int64_t first_unit = static_cast<std::int64_t>(block_x()) * Shape::kUnits;
  // Their cells are in shared memory: they are few.
  const int slices = static_cast<int>((shape.batch + Shape::kRows - 1) / Shape::kRows);
  T* const exchange = static_cast<T*>(args.workspace);

  unsigned char* shared = dynamic_shared();
  Sum* partial = reinterpret_cast<Sum*>(shared + Product::kWeightBytes);
  T* meeting = reinterpret_cast<T*>(shared + Shape::kOutgoingAt) + warp() * 128;
  Sum* grad_cells = reinterpret_cast<Sum*>(shared + Shape::kCellsAt);

  Product product(shared, Sums::rank());
  product.load_weights([&](int tile, int row, int k) -> typename Product::Piece {
    const std::int64_t unit = first_unit + (tile - Sums::rank()) * Shape::kUnits + row;
    const std::int64_t gate = k / width, other = k % width;
    const T* weights = static_cast<const T*>(shape.weight_hh) + (gate * hidden + other) * hidden + unit;
    return {weights, hidden, unit < hidden && gate < 4 ? hidden - other : 0};
  });
  // What this thread finishes of every slice: one unit of one row.
  const int own = static_cast<int>(thread_index());
  const bool finishes = warp() < Shape::kFinishers;
  const GridItem<2> item(own);
  const std::int64_t unit = first_unit + item.column;
  const bool owns = finishes && unit < hidden;
  const auto grad_cell_of = [&](int slice) {
    return grad_cells + (slice * Shape::kRows + item.row) * Shape::kUnits + item.column;
  };
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? n : shape.steps - 1 - n; };
  UnitBackward<T> next;
  const auto load_next = [&](std::int64_t n, int slice) {
    if (!owns || n >= shape.steps) return;
    const RowStep step(shape, step_at(n), slice * Shape::kRows + item.row);
    if (step.active) next.load(args, step.t, step.b, unit, step.length, step.begins, step.ends);
  };
  for (int slice = 0; owns && slice < slices; ++slice) {
    store_shared(grad_cell_of(slice), Sum(0));
    const std::int64_t b = slice * Shape::kRows + item.row, at = b * hidden + unit;
    if (b >= shape.batch || length_of(shape, b) > 0) continue;
    store(static_cast<T*>(args.grad_h0) + at, element_or_zero<T>(args.grad_h_n, at));
    store(static_cast<T*>(args.grad_c0) + at, element_or_zero<T>(args.grad_c_n, at));
  }
  load_next(0, 0);
  Sums cluster(shared + Shape::kSumsAt);

  // One turn more than steps: the last one leaves the gradient at the initial state.
  unsigned turn = 0;
  for (std::int64_t n = 0; n <= shape.steps; ++n) {
    const bool initial = n == shape.steps;
    const std::int64_t t = step_at(initial ? 0 : n);
    for (int slice = 0; slice < slices; ++slice, ++turn) {
      Sum* sums = partial + turn % 2 * (Product::kPartialBytes / sizeof(Sum));
      // The step whose gate gradients a row takes, -1 for none.
      const auto source_of = [&](const RowStep& step) -> std::int64_t {
        if (initial) return step.length == 0 ? -1 : shape.reverse ? step.length - 1 : 0;
        return step.active && !step.ends ? step_after(shape, t) : -1;
      };
      product.multiply_arriving(
          [&](int eight) -> Arriving<T> {
            const RowStep step(shape, t, slice * Shape::kRows + eight * 8 + static_cast<int>(lane() / 4));
            const std::int64_t source = source_of(step);
            if (source < 0) return {nullptr, false};
            return {exchange + frame_of(shape, source, step.b) * 4 * width, true};
          },
          4 * width, sums);
      const auto sums_of = [&](int owner, int number) {
        const GridItem<2> place(number);
        return typename Sums::Item{{Product::sum(sums, 0, owner, place.column, place.row)}};
      };
      block_barrier();
      cluster.send(turn, sums_of);
      if (!finishes) continue;

      const Sum total = cluster.total(turn, own, sums_of).at[0];
      const RowStep step(shape, t, slice * Shape::kRows + item.row);
      const bool exists = owns && step.b < shape.batch;
      const std::int64_t source = source_of(step), at = step.b * hidden + unit;
      const bool receives = exists && source >= 0 && carried_into(shape, source, step.b, step.length);
      const Sum recurrent = receives ? total : Sum(0);
      if (initial) {
        if (exists && step.length > 0) store_real(static_cast<T*>(args.grad_h0) + at, recurrent);
        continue;
      }
      Sum grads[4] = {};
      if (exists && step.active) {
        Sum grad_cell = load_shared(grad_cell_of(slice));
        next.retreat(recurrent, grad_cell, grads);
        store_shared(grad_cell_of(slice), grad_cell);
        if (step.begins) store_real(static_cast<T*>(args.grad_c0) + at, grad_cell);
      }
      T leaving[4];
#pragma unroll
      for (int q = 0; q < 4; ++q) leaving[q] = to_storage<T>(grads[q]);
      if (exists && exchange != args.grad_gates) {
        T* target = static_cast<T*>(args.grad_gates) + frame_of(shape, t, step.b) * 4 * hidden + unit;
#pragma unroll
        for (int q = 0; q < 4; ++q) store(target + q * hidden, leaving[q]);
      }
      leave_as_words(meeting, leaving, [&](int nth, int gate) -> T* {
        const std::int64_t b = slice * Shape::kRows + item.row_of(nth), units = first_unit + item.octet * 8;
        if (b >= shape.batch || units >= hidden) return nullptr;
        return exchange + (frame_of(shape, t, b) * 4 + gate) * width + units;
      });
      const bool last = slice + 1 == slices;
      load_next(last ? n + 1 : n, last ? 0 : slice + 1);
    }
  }
}

template <class P, int kShares, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_grid_backward(const __grid_constant__ GridBackward call) {
  if constexpr (kShares == 1 || has_clusters()) retreat_units<P, kShares, kChunks, kInRegisters, kBatch>(call);
}

}  // namespace lrcn_fast::cuda
