#pragma once

#include "lstm_unit.cuh"
#include "stationary.cuh"

// The whole sequence in one launch, on blocks that all run at the same time, wherever they are. A block owns 8
// hidden units and keeps their rows of W_hh on chip. It writes its hidden states where the caller wants the output,
// and that is where all blocks take them from (arriving.cuh). A batch of several slices goes through each step
// slice by slice: while the states of one are on their way, the next is multiplied.

namespace lrcn_fast::cuda {

struct GridForward {
  LstmForward scans[kMostScans];  // one for each block_y()
};

template <class P, int kChunks, int kInRegisters, int kBatch>
struct GridForwardShape {
  static constexpr int kWarps = 8;
  using Product = Stationary<P, kWarps, 2, kWarps, kChunks, kInRegisters, kBatch>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 8;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth;
  // A warp finishes 8 units of 4 rows: 2 kBatch of them have something to do.
  static constexpr int kFinishers = 2 * kBatch;
  static_assert(kFinishers <= kWarps, "one round of all warps finishes a slice");

  static constexpr std::size_t kOutgoingAt = Product::kWeightBytes + 2 * Product::kPartialBytes;
  static constexpr std::size_t kCellsAt = kOutgoingAt + sizeof(T) * kRows * kUnits;
  static std::size_t shared_bytes(std::int64_t batch) {
    const std::int64_t slices = (batch + kRows - 1) / kRows;
    return kCellsAt + static_cast<std::size_t>(slices * kRows * kUnits) * sizeof(SumOf<P>);
  }
};

template <class P, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_grid_forward(const __grid_constant__ GridForward call) {
  using Shape = GridForwardShape<P, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  const LstmForward& args = call.scans[block_y()];
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, first_unit = static_cast<std::int64_t>(block_x()) * Shape::kUnits;
  const std::int64_t slices = (shape.batch + Shape::kRows - 1) / Shape::kRows;

  unsigned char* shared = dynamic_shared();
  Sum* partial = reinterpret_cast<Sum*>(shared + Product::kWeightBytes);
  T* outgoing = reinterpret_cast<T*>(shared + Shape::kOutgoingAt) + warp() * 32;
  Sum* cells = reinterpret_cast<Sum*>(shared + Shape::kCellsAt);

  Product product(shared);
  const T zero = to_storage<T>(Sum(0));
  product.load_weights([&](int tile, int row, int k) -> typename Product::Piece {
    const std::int64_t gate = tile * 2 + row / 8, unit = first_unit + row % 8;
    const T* weights = static_cast<const T*>(shape.weight_hh) + (gate * hidden + unit) * hidden + k;
    return {weights, 1, unit < hidden ? hidden - k : 0};
  });
  // What this thread finishes of every slice: one unit of one row.
  const bool finishes = warp() < Shape::kFinishers;
  const int column = static_cast<int>(lane() / 4);
  const int row = static_cast<int>(warp() / 2 * 8 + lane() % 4 * 2 + warp() % 2);
  const std::int64_t unit = first_unit + column;
  const auto cell_of = [&](std::int64_t slice) { return cells + slice * (Shape::kRows * 8) + row * 8 + column; };
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? shape.steps - 1 - n : n; };
  UnitForward<T> next;
  const auto load_next = [&](std::int64_t n, std::int64_t slice) {
    const RowStep step(shape, step_at(n), slice * Shape::kRows + row);
    if (finishes && n < shape.steps && step.active) next.load(args, step.t, step.b, unit, step.length);
  };
  for (std::int64_t slice = 0; finishes && slice < slices; ++slice) {
    const std::int64_t b = slice * Shape::kRows + row, at = b * hidden + unit;
    if (b >= shape.batch) continue;
    const T c0 = element_or_zero<T>(args.c0, at);
    store_shared(cell_of(slice), to_real(c0));
    if (length_of(shape, b) > 0) continue;
    store(static_cast<T*>(args.h_n) + at, element_or_zero<T>(args.h0, at));
    store(static_cast<T*>(args.c_n) + at, c0);
  }
  load_next(0, 0);

  int turn = 0;
  for (std::int64_t n = 0; n < shape.steps; ++n) {
    const std::int64_t t = step_at(n);
    for (std::int64_t slice = 0; slice < slices; ++slice, turn ^= 1) {
      // Two buffers in turn: who writes one has seen a barrier that all readers of its last contents reached.
      Sum* sums = partial + turn * static_cast<int>(Product::kPartialBytes / sizeof(Sum));
      product.multiply_arriving(
          [&](int eight) -> Arriving<T> {
            const RowStep step(shape, t, slice * Shape::kRows + eight * 8 + static_cast<int>(lane() / 4));
            if (!step.active) return {nullptr, false};
            if (step.begins) {
              return {args.h0 == nullptr ? nullptr : static_cast<const T*>(args.h0) + step.b * hidden, false};
            }
            const std::int64_t frame = frame_of(shape, step_before(shape, t), step.b);
            return {static_cast<const T*>(args.output) + frame * hidden, true};
          },
          hidden, sums);
      block_barrier();
      if (!finishes) continue;

      const RowStep step(shape, t, slice * Shape::kRows + row);
      const bool exists = step.b < shape.batch;
      T h = zero;
      if (step.active) {
        Sum c = load_shared(cell_of(slice));
        const auto recurrent = [&](int q) { return Product::sum(sums, 0, q / 2, q % 2 * 8 + column, row); };
        h = next.advance(args, t, step.b, unit, step.ends, recurrent, c);
        store_shared(cell_of(slice), c);
        if (step.ends) store(static_cast<T*>(args.h_n) + step.b * hidden + unit, h);
      } else if (exists) {
        next.save_zeros(args, t, step.b, unit);
      }

      // The 8 units of 4 rows meet in shared memory and leave as words of 16 bytes.
      store_shared(outgoing + lane() % 4 * 8 + column, h);
      warp_barrier();
      constexpr int kWords = 8 * sizeof(T) / 16;  // of a row
      const int sent_row = static_cast<int>(warp() / 2 * 8 + lane() / kWords * 2 + warp() % 2);
      const std::int64_t b = slice * Shape::kRows + sent_row;
      if (lane() < 4 * kWords && b < shape.batch) {
        const Words4 words = load_shared(reinterpret_cast<const Words4*>(outgoing) + lane());
        T* output = static_cast<T*>(args.output) + frame_of(shape, t, b) * hidden + first_unit;
        store_words(reinterpret_cast<Words4*>(output) + lane() % kWords, words);
      }
      warp_barrier();
      const bool last = slice + 1 == slices;
      load_next(last ? n + 1 : n, last ? 0 : slice + 1);
    }
  }
}

}  // namespace lrcn_fast::cuda
