#pragma once

#include "lstm_grid.cuh"

// The whole sequence in one launch, on blocks that all run at the same time, wherever they are. A block owns some
// eights of hidden units and keeps their rows of W_hh on chip. It writes its hidden states where the caller wants the
// output, and that is where all blocks take them from (arriving.cuh); where rows of the output are not made of words,
// they go through rows that are. A batch of several slices goes through each step slice by slice: while the states of
// one are on their way, the next is multiplied. Blocks of a cluster may share out the depth (cluster_sums.cuh).

namespace lrcn_fast::cuda {

struct GridForward {
  // workspace: what the blocks exchange, rows of in_eights(hidden); it may be the output itself. h0 has such rows too.
  LstmForward scans[kMostScans];  // one for each block_y()
};

// kOctets: eights of hidden units a block owns. kShares: blocks of a cluster. The others: see Stationary.
template <class P, int kOctets, int kShares, int kChunks, int kInRegisters, int kBatch>
struct GridForwardShape {
  static constexpr int kWarps = 8;
  // Two tiles for an octet of units of the cluster: i and f, then g and o.
  using Product = Stationary<P, kWarps, 2 * kOctets * kShares, kWarps, kChunks, kInRegisters, kBatch, kShares>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 8 * kOctets;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth;
  static constexpr unsigned kCluster = kShares;
  // A warp finishes 8 units of 4 rows.
  static constexpr int kFinishers = 2 * kOctets * kBatch;
  static_assert(kFinishers <= kWarps, "one round of all warps finishes a slice");
  using Sums = ClusterSums<SumOf<P>, 4, 32 * kFinishers, kShares>;

  static constexpr std::size_t kOutgoingAt = Product::kWeightBytes + 2 * Product::kPartialBytes;
  static constexpr std::size_t kSumsAt = kOutgoingAt + sizeof(T) * kRows * kUnits;
  static constexpr std::size_t kCellsAt = kSumsAt + Sums::kBytes;
  static std::size_t shared_bytes(std::int64_t batch) {
    const std::int64_t slices = (batch + kRows - 1) / kRows;
    return kCellsAt + static_cast<std::size_t>(slices * kRows * kUnits) * sizeof(SumOf<P>);
  }
};

template <class P, int kOctets, int kShares, int kChunks, int kInRegisters, int kBatch>
__device__ void advance_units(const GridForward& call) {
  using Shape = GridForwardShape<P, kOctets, kShares, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using Sums = typename Shape::Sums;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  const LstmForward& args = call.scans[block_y()];
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, width = in_eights(hidden);
  const std::int64_t first_unit = static_cast<std::int64_t>(block_x()) * Shape::kUnits;
  // Their cells are in shared memory: they are few.
  const int slices = static_cast<int>((shape.batch + Shape::kRows - 1) / Shape::kRows);
  T* const exchange = static_cast<T*>(args.workspace);

  unsigned char* shared = dynamic_shared();
  Sum* partial = reinterpret_cast<Sum*>(shared + Product::kWeightBytes);
  T* meeting = reinterpret_cast<T*>(shared + Shape::kOutgoingAt) + warp() * 32;
  Sum* cells = reinterpret_cast<Sum*>(shared + Shape::kCellsAt);

  Product product(shared, Sums::rank());
  const T zero = to_storage<T>(Sum(0));
  product.load_weights([&](int tile, int row, int k) -> typename Product::Piece {
    const std::int64_t gate = tile % 2 * 2 + row / 8;
    const std::int64_t unit = first_unit + (tile / 2 - Sums::rank() * kOctets) * 8 + row % 8;
    const T* weights = static_cast<const T*>(shape.weight_hh) + (gate * hidden + unit) * hidden + k;
    return {weights, 1, unit < hidden ? hidden - k : 0};
  });
  // What this thread finishes of every slice: one unit of one row.
  const int own = static_cast<int>(thread_index());
  const bool finishes = warp() < Shape::kFinishers;
  const GridItem<kOctets> item(own);
  const std::int64_t unit = first_unit + item.column;
  const bool owns = finishes && unit < hidden;
  const auto cell_of = [&](int slice) {
    return cells + (slice * Shape::kRows + item.row) * Shape::kUnits + item.column;
  };
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? shape.steps - 1 - n : n; };
  UnitForward<T> next;
  const auto load_next = [&](std::int64_t n, int slice) {
    if (!owns || n >= shape.steps) return;
    const RowStep step(shape, step_at(n), slice * Shape::kRows + item.row);
    if (step.active) next.load(args, step.t, step.b, unit, step.length);
  };
  for (int slice = 0; owns && slice < slices; ++slice) {
    const std::int64_t b = slice * Shape::kRows + item.row, at = b * hidden + unit;
    if (b >= shape.batch) continue;
    const T c0 = element_or_zero<T>(args.c0, at);
    store_shared(cell_of(slice), to_real(c0));
    if (length_of(shape, b) > 0) continue;
    store(static_cast<T*>(args.h_n) + at, element_or_zero<T>(args.h0, b * width + unit));
    store(static_cast<T*>(args.c_n) + at, c0);
  }
  load_next(0, 0);
  Sums cluster(shared + Shape::kSumsAt);

  unsigned turn = 0;
  for (std::int64_t n = 0; n < shape.steps; ++n) {
    const std::int64_t t = step_at(n);
    for (int slice = 0; slice < slices; ++slice, ++turn) {
      // Two buffers in turn: who writes one has seen a barrier that all readers of its last contents reached.
      Sum* sums = partial + turn % 2 * (Product::kPartialBytes / sizeof(Sum));
      product.multiply_arriving(
          [&](int eight) -> Arriving<T> {
            const RowStep step(shape, t, slice * Shape::kRows + eight * 8 + static_cast<int>(lane() / 4));
            if (!step.active) return {nullptr, false};
            if (step.begins) {
              return {args.h0 == nullptr ? nullptr : static_cast<const T*>(args.h0) + step.b * width, false};
            }
            return {exchange + frame_of(shape, step_before(shape, t), step.b) * width, true};
          },
          width, sums);
      const auto sums_of = [&](int owner, int number) {
        const GridItem<kOctets> place(number);
        const int pair = (owner * kOctets + place.octet) * 2;
        typename Sums::Item gates;
#pragma unroll
        for (int q = 0; q < 4; ++q) {
          gates.at[q] = Product::sum(sums, 0, pair + q / 2, q % 2 * 8 + place.column % 8, place.row);
        }
        return gates;
      };
      block_barrier();
      cluster.send(turn, sums_of);
      if (!finishes) continue;

      const typename Sums::Item recurrent = cluster.total(turn, own, sums_of);
      const RowStep step(shape, t, slice * Shape::kRows + item.row);
      const bool exists = owns && step.b < shape.batch;
      T h = zero;
      if (exists && step.active) {
        Sum c = load_shared(cell_of(slice));
        h = next.advance(args, t, step.b, unit, step.ends, [&](int q) { return recurrent.at[q]; }, c);
        store_shared(cell_of(slice), c);
        if (step.ends) store(static_cast<T*>(args.h_n) + step.b * hidden + unit, h);
      } else if (exists) {
        next.save_zeros(args, t, step.b, unit);
      }
      if (exists && exchange != args.output) {
        store(static_cast<T*>(args.output) + frame_of(shape, t, step.b) * hidden + unit, h);
      }
      leave_as_words<1>(meeting, {h}, [&](int nth, int) -> T* {
        const std::int64_t b = slice * Shape::kRows + item.row_of(nth), units = first_unit + item.octet * 8;
        return b < shape.batch && units < hidden ? exchange + frame_of(shape, t, b) * width + units : nullptr;
      });
      const bool last = slice + 1 == slices;
      load_next(last ? n + 1 : n, last ? 0 : slice + 1);
    }
  }
}

template <class P, int kOctets, int kShares, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_grid_forward(const __grid_constant__ GridForward call) {
  if constexpr (kShares == 1 || has_clusters()) advance_units<P, kOctets, kShares, kChunks, kInRegisters, kBatch>(call);
}

}  // namespace lrcn_fast::cuda
