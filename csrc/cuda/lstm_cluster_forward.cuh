#pragma once

#include "lstm_unit.cuh"
#include "primitives/cluster.h"
#include "primitives/mbarrier.h"
#include "stationary.cuh"

// The whole sequence in one launch, on the blocks of one cluster for each slice of the batch. A block owns some
// hidden units: their rows of W_hh stay in its registers, their cell states too. The hidden states travel: each
// block writes its own into the shared memory of all its peers, and an mbarrier there counts the bytes.
//
// Two buffers are enough without another barrier. Whoever writes states of step n + 1 has all states of step n,
// and a block sends its states of step n after its last look at those of step n - 1, which lay where n + 1 goes.

namespace lrcn_fast::cuda {

struct ClusterForward {
  LstmForward scans[kMostScans];  // one for each block_y()
};

// kOctets: eights of hidden units a block owns. The others: see Stationary.
template <class P, int kOctets, int kChunks, int kInRegisters, int kBatch>
struct ClusterForwardShape {
  static constexpr int kWarps = 8;
  // Two tiles for an octet of units: i and f, then g and o. A thread thus holds all gates of a unit.
  using Product = Stationary<P, kWarps, 2, kWarps / kOctets, kChunks, kInRegisters, kBatch>;
  using T = StorageOf<P>;
  static constexpr int kUnits = 8 * kOctets;
  static constexpr int kRows = 8 * kBatch;
  static constexpr int kHidden = Product::kDepth;  // hidden units that a cluster has room for
  static constexpr unsigned kBlocks = kHidden / kUnits;
  static constexpr int kPiece = 16 / sizeof(T);  // units in the 16 bytes that travel together
  static constexpr int kPieces = kRows * kUnits / kPiece;
  static constexpr int kItems = kRows * kUnits / static_cast<int>(Product::kThreads);
  static constexpr int kItemsOfThread = kItems > 0 ? kItems : 1;

  static constexpr std::size_t kWeightsAt = 2 * Product::kStateBytes;
  static constexpr std::size_t kPartialAt = kWeightsAt + Product::kWeightBytes;
  static constexpr std::size_t kOutgoingAt = kPartialAt + Product::kPartialBytes;
  static constexpr std::size_t kBarriersAt = kOutgoingAt + sizeof(T) * kRows * kUnits;
  static constexpr std::size_t kSharedBytes = kBarriersAt + 2 * sizeof(Mbarrier);
};

template <class P, int kOctets, int kChunks, int kInRegisters, int kBatch>
__device__ void walk_forward(const ClusterForward& call) {
  using Shape = ClusterForwardShape<P, kOctets, kChunks, kInRegisters, kBatch>;
  using Product = typename Shape::Product;
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  constexpr int kWarps = Shape::kWarps;
  const LstmForward& args = call.scans[block_y()];
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
  constexpr unsigned kStepBytes = sizeof(T) * Shape::kRows * Shape::kHidden;

  if (thread_index() == 0) {
    for (int n = 0; n < 2; ++n) {
      mbarrier_init(arrived + n, 1);
      mbarrier_arrive_expect(arrived + n, kStepBytes);
    }
    mbarrier_init_fence();
  }
  Product product(shared + Shape::kWeightsAt);
  const T zero = to_storage<T>(Sum(0));
  product.load_weights([&](int tile, int row, int k) -> typename Product::Piece {
    const std::int64_t gate = tile * 2 + row / 8, unit = first_unit + Product::group() * 8 + row % 8;
    const T* weights = static_cast<const T*>(shape.weight_hh) + (gate * hidden + unit) * hidden + k;
    return {weights, 1, unit < hidden ? hidden - k : 0};
  });  // The initial states need no travel: every block reads all of them.
  for (int n = static_cast<int>(thread_index()); n < Shape::kRows * Shape::kHidden;
       n += static_cast<int>(Product::kThreads)) {
    const std::int64_t b = first_row + n / Shape::kHidden;
    const int k = n % Shape::kHidden;
    const bool inside = b < shape.batch && k < hidden;
    store_shared(states + n / Shape::kHidden * Product::kPitch + k,
                 inside ? element_or_zero<T>(args.h0, b * hidden + k) : zero);
  }

  // What a thread does for one unit of one row, for the life of the launch.
  struct Item {
    std::int64_t b, unit, length;
    int row, column;  // in the block; row -1: none
    bool exists;
    T h;
    Sum c;
    UnitForward<T> next;  // of the step to come
  };
  Item items[Shape::kItemsOfThread];
  const auto step_at = [&](std::int64_t n) { return shape.reverse ? shape.steps - 1 - n : n; };
#pragma unroll
  for (int n = 0; n < Shape::kItemsOfThread; ++n) {
    Item& item = items[n];
    // Lanes lie as the sums do, so that reading them meets no bank twice.
    const int place = static_cast<int>(warp()) + n * kWarps;
    const int octet = place % kOctets, eight = place / kOctets / 2, odd = place / kOctets % 2;
    const bool owned = eight < kBatch;
    item.column = octet * 8 + static_cast<int>(lane() / 4);
    item.row = owned ? eight * 8 + static_cast<int>(lane() % 4) * 2 + odd : -1;
    item.b = first_row + item.row;
    item.unit = first_unit + item.column;
    item.exists = owned && item.b < shape.batch && item.unit < hidden;
    item.length = item.exists ? length_of(shape, item.b) : 0;
    item.h = zero;
    item.c = 0;
    if (!item.exists) continue;
    const std::int64_t at = item.b * hidden + item.unit;
    item.h = element_or_zero<T>(args.h0, at);
    item.c = to_real(element_or_zero<T>(args.c0, at));
    if (item.length == 0) {
      store(static_cast<T*>(args.h_n) + at, item.h);
      store(static_cast<T*>(args.c_n) + at, element_or_zero<T>(args.c0, at));
    }
    if (step_at(0) < item.length) item.next.load(args, step_at(0), item.b, item.unit, item.length);
  }
  // From here on the peers' barriers and buffers may be written to.
  cluster_barrier();

  for (std::int64_t n = 0; n < shape.steps; ++n) {
    const std::int64_t t = step_at(n), next_t = step_at(n + 1);
    const int buffer = static_cast<int>(n % 2);
    if (n > 0) {
      mbarrier_wait_cluster(arrived + buffer, static_cast<unsigned>((n - 1) / 2 % 2));
      if (thread_index() == 0) mbarrier_arrive_expect(arrived + buffer, kStepBytes);
    }
    product.multiply(states + buffer * kStateElements, partial);
    block_barrier();

#pragma unroll
    for (int m = 0; m < Shape::kItemsOfThread; ++m) {
      Item& item = items[m];
      if (item.row < 0) continue;
      if (item.exists) {
        T output = zero;
        if (t < item.length) {
          const bool ends = shape.reverse ? t == 0 : t + 1 == item.length;
          const auto recurrent = [&](int q) {
            return Product::sum(partial, item.column / 8, q / 2, q % 2 * 8 + item.column % 8, item.row);
          };
          output = item.h = item.next.advance(args, t, item.b, item.unit, ends, recurrent, item.c);
          if (ends) store(static_cast<T*>(args.h_n) + item.b * hidden + item.unit, output);
        } else {
          item.next.save_zeros(args, t, item.b, item.unit);
        }
        store(static_cast<T*>(args.output) + frame_of(shape, t, item.b) * hidden + item.unit, output);
        if (n + 1 < shape.steps && next_t < item.length) {
          item.next.load(args, next_t, item.b, item.unit, item.length);
        }
      }
      // A row that has not begun, or has ended, keeps its state.
      store_shared(outgoing + item.row * Shape::kUnits + item.column, item.h);
    }
    block_barrier();

    if (n + 1 == shape.steps) break;
    T* target = states + (1 - buffer) * kStateElements + first_unit;
    for (int m = static_cast<int>(thread_index()); m < Shape::kPieces * static_cast<int>(Shape::kBlocks);
         m += static_cast<int>(Product::kThreads)) {
      const int piece = m % Shape::kPieces;
      const unsigned peer = static_cast<unsigned>(m / Shape::kPieces);
      const Words4 words = load_shared(reinterpret_cast<const Words4*>(outgoing + piece * Shape::kPiece));
      const int row = piece * Shape::kPiece / Shape::kUnits, column = piece * Shape::kPiece % Shape::kUnits;
      store_async(reinterpret_cast<Words4*>(target + row * Product::kPitch + column), peer, words,
                  arrived + 1 - buffer);
    }
  }
  // A block that ended would take its shared memory from under its peers.
  cluster_barrier();
}

template <class P, int kOctets, int kChunks, int kInRegisters, int kBatch>
__global__ void __launch_bounds__(256, 1) lstm_cluster_forward(const __grid_constant__ ClusterForward call) {
  // Nobody launches it elsewhere, and compiling it there takes as long.
  if constexpr (has_clusters()) walk_forward<P, kOctets, kChunks, kInRegisters, kBatch>(call);
}

}  // namespace lrcn_fast::cuda
