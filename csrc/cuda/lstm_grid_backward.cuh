#pragma once

#include "lstm_unit.cuh"
#include "stationary.cuh"

// lstm_grid_forward.cuh walked backwards. A block owns 16 hidden units; what travels are the gate gradients, which the
// caller wants anyway. The depth of the product are the gates of all units, as W_hh and the gradients lie.

namespace lrcn_fast::cuda {

struct GridBackward {
  LstmBackward scans[kMostScans];  // one for each block_y()
};

template <class P, int kChunks, int kInRegisters, int kBatch>
struct GridBackwardShape {
  static constexpr int kWarps = 8;
  using Product = Stationary<P, kWarps, 1, kWarps, kChunks, kInRegisters, kBatch>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 16;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth / 4;
  // A warp finishes 8 units of 4 rows.
  static constexpr int kFinishers = 4 * kBatch;
  static_assert(kFinishers <= kWarps, "one round of all warps finishes a slice");

  static constexpr std::size_t kOutgoingAt = Product::kWeightBytes + 2 * Product::kPartialBytes;
  static constexpr std::size_t kCellsAt = kOutgoingAt + sizeof(T) * kFinishers * 128;
  static std::size_t shared_bytes(std::int64_t batch) {
    const std::int64_t slices = (batch + kRows - 1) / kRows;
    return kCellsAt + static_cast<std::size_t>(slices * kRows * kUnits) * sizeof(SumOf<P>);
  }
};

template <class P, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_grid_backward(const __grid_constant__ GridBackward call) {
  using Shape = GridBackwardShape<P, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  const LstmBackward& args = call.scans[block_y()];
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, first_unit = static_cast<std::int64_t>(block_x()) * Shape::kUnits;
  const std::int64_t slices = (shape.batch + Shape::kRows - 1) / Shape::kRows;

  unsigned char* shared = dynamic_shared();
  Sum* partial = reinterpret_cast<Sum*>(shared + Product::kWeightBytes);
  T* outgoing = reinterpret_cast<T*>(shared + Shape::kOutgoingAt) + warp() * 128;
  Sum* grad_cells = reinterpret_cast<Sum*>(shared + Shape::kCellsAt);

  Product product(shared);
  product.load_weights([&](int, int row, int k) -> typename Product::Piece {
    const std::int64_t unit = first_unit + row;
    const T* weights = static_cast<const T*>(shape.weight_hh) + k * hidden + unit;
    return {weights, hidden, unit < hidden ? 4 * hidden - k : 0};
  });
  // What this thread finishes of every slice: one unit of one row.
  const bool finishes = warp() < Shape::kFinishers;
  const unsigned octet = warp() % 2, quarter = warp() / 2;  // of the units, and of the rows
  const int column = static_cast<int>(octet * 8 + lane() / 4);
  const int row = static_cast<int>(quarter / 2 * 8 + lane() % 4 * 2 + quarter % 2);
  const std::int64_t unit = first_unit + column;
  const bool owns = finishes && unit < hidden;
  const auto grad_cell_of = [&](std::int64_t slice) {
    return grad_cells + slice * (Shape::kRows * Shape::kUnits) + row * Shape::kUnits + column;
  };
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? n : shape.steps - 1 - n; };
  UnitBackward<T> next;
  const auto load_next = [&](std::int64_t n, std::int64_t slice) {
    if (!owns || n >= shape.steps) return;
    const RowStep step(shape, step_at(n), slice * Shape::kRows + row);
    if (step.active) next.load(args, step.t, step.b, unit, step.length, step.begins, step.ends);
  };
  for (std::int64_t slice = 0; owns && slice < slices; ++slice) {
    store_shared(grad_cell_of(slice), Sum(0));
    const std::int64_t b = slice * Shape::kRows + row, at = b * hidden + unit;
    if (b >= shape.batch || length_of(shape, b) > 0) continue;
    store(static_cast<T*>(args.grad_h0) + at, element_or_zero<T>(args.grad_h_n, at));
    store(static_cast<T*>(args.grad_c0) + at, element_or_zero<T>(args.grad_c_n, at));
  }
  load_next(0, 0);

  // One turn more than steps: the last one leaves the gradient at the initial state.
  int turn = 0;
  for (std::int64_t n = 0; n <= shape.steps; ++n) {
    const bool initial = n == shape.steps;
    const std::int64_t t = step_at(initial ? 0 : n);
    for (std::int64_t slice = 0; slice < slices; ++slice, turn ^= 1) {
      Sum* sums = partial + turn * static_cast<int>(Product::kPartialBytes / sizeof(Sum));
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
            return {static_cast<const T*>(args.grad_gates) + frame_of(shape, source, step.b) * 4 * hidden, true};
          },
          4 * hidden, sums);
      block_barrier();
      if (!finishes) continue;

      const RowStep step(shape, t, slice * Shape::kRows + row);
      const bool exists = owns && step.b < shape.batch;
      const std::int64_t source = source_of(step), at = step.b * hidden + unit;
      Sum recurrent = 0;
      if (exists && source >= 0 && carried_into(shape, source, step.b, step.length)) {
        recurrent = Product::sum(sums, 0, 0, column, row);
      }
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

      // The 4 gates of 8 units of 4 rows meet in shared memory and leave as words of 16 bytes.
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        store_shared(outgoing + (lane() % 4 * 4 + q) * 8 + lane() / 4, to_storage<T>(grads[q]));
      }
      warp_barrier();
      constexpr unsigned kWords = 8 * sizeof(T) / 16;  // of a gate
#pragma unroll
      for (unsigned word = lane(); word < 16 * kWords; word += 32) {
        const unsigned sender = word / kWords / 4, gate = word / kWords % 4;
        const std::int64_t b = slice * Shape::kRows + static_cast<int>(quarter / 2 * 8 + sender * 2 + quarter % 2);
        const std::int64_t units = first_unit + octet * 8;
        if (b >= shape.batch || units >= hidden) continue;
        T* target = static_cast<T*>(args.grad_gates) + (frame_of(shape, t, b) * 4 + gate) * hidden + units;
        store_words(reinterpret_cast<Words4*>(target) + word % kWords,
                    load_shared(reinterpret_cast<const Words4*>(outgoing) + word));
      }
      warp_barrier();
      const bool last = slice + 1 == slices;
      load_next(last ? n + 1 : n, last ? 0 : slice + 1);
    }
  }
}

}  // namespace lrcn_fast::cuda
