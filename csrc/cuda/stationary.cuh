#pragma once

#include <cstdint>

#include "arriving.cuh"
#include "primitives/barrier.h"
#include "primitives/ids.h"
#include "primitives/shared.h"
#include "tile.cuh"

// Products whose weights never leave the chip. The warps of a block share out the rows of the weights in
// tiles of 16, and for each tile the depth; a thread keeps its operands of products.cuh for the life of the launch, in
// registers, and what these do not hold in shared memory. The states lie there too, 8 rows of the batch for each column
// tile. Against tile.cuh the two sides change places: the weights are the 16 rows, so that a small batch wastes no more
// than 8.

namespace lrcn_fast::cuda {

// kWarps: of the block. kTiles: tiles of 16 rows of weights each of them holds. kSplits: warps that share out the
// depth. kChunks: chunks of the depth each of them holds, kInRegisters of them there. kBatch: eights of rows of the
// batch.
template <class P, int kWarps, int kTiles, int kSplits, int kChunks, int kInRegisters, int kBatch>
class Stationary {
 public:
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  static constexpr unsigned kThreads = kWarps * 32;
  static constexpr int kGroups = kWarps / kSplits;  // of kTiles tiles each
  static constexpr int kDepth = P::kChunk * kSplits * kChunks;
  // Rows of states in shared memory: half a line of 128 bytes apart, so that eight rows lie in different banks.
  static constexpr int kPitch =
      kDepth + ((kDepth * static_cast<int>(sizeof(T))) % 128 == 64 ? 0 : 64 / static_cast<int>(sizeof(T)));
  static constexpr std::size_t kStateBytes = sizeof(T) * 8 * kBatch * kPitch;
  static constexpr std::size_t kPartialBytes = sizeof(Sum) * kWarps * kTiles * kBatch * 128;

  static constexpr std::size_t kWeightBytes = sizeof(Words4) * 32 * kWarps * kTiles * (kChunks - kInRegisters) * 2;

  // shared_weights: kWeightBytes of shared memory.
  __device__ explicit Stationary(void* shared_weights)
      : shared_weights_(static_cast<Words4*>(shared_weights) + warp() * (32 * kTiles * (kChunks - kInRegisters) * 2) +
                        lane()) {}

  static __device__ int group() { return static_cast<int>(warp()) / kSplits; }

  // Consecutive weights of a row: those past `count` are zero.
  struct Piece {
    const T* first;
    std::int64_t stride, count;
  };

  // piece(tile, row, k): the weights from depth k on, of row `row` of a tile of this warp's group.
  template <class PieceOf>
  __device__ void load_weights(PieceOf piece_of) {
    constexpr int kElements = 16 / sizeof(T);
    struct Elements {
      T at[kElements];
    };
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const Piece piece = piece_of(m, static_cast<int>(lane() / 4) + 8 * half, first_depth(c));
          Elements elements;
#pragma unroll
          for (int e = 0; e < kElements; ++e) {
            elements.at[e] = e < piece.count ? load(piece.first + e * piece.stride) : to_storage<T>(0);
          }
          if (c < kInRegisters) {
            weights_[m][c][half] = bits_as<Words4>(elements);
          } else {
            store_shared(shared_weight(m, c, half), bits_as<Words4>(elements));
          }
        }
        // Keeps the compiler from asking for all weights at once, which no number of registers would hold.
        warp_barrier();
      }
    }
  }

  // states: (8 kBatch, kPitch) in shared memory.
  __device__ void multiply(const T* states, Sum* partial) {
    Sum sums[kTiles][kBatch][4] = {};
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      const Operands operands = weights(c);
#pragma unroll
      for (int n = 0; n < kBatch; ++n) {
        const T* row = states + (n * 8 + static_cast<int>(lane() / 4)) * kPitch + first_depth(c);
        operands.multiply(sums, n, load_shared(reinterpret_cast<const Words4*>(row)));
      }
      if (kChunks > kAtOnce && c % kAtOnce == kAtOnce - 1) warp_barrier();
    }
    keep(sums, partial);
  }

  // source(n): the row of states that this thread takes part of in the n-th eight of the batch.
  template <class Source>
  __device__ void multiply_arriving(Source source, std::int64_t depth, Sum* partial) {
    // Words asked for before the first is waited for.
    constexpr int kAhead = kChunks < 4 ? kChunks : 4;
    Sum sums[kTiles][kBatch][4] = {};
#pragma unroll
    for (int n = 0; n < kBatch; ++n) {
      const Arriving<T> row = source(n);
#pragma unroll
      for (int first = 0; first < kChunks; first += kAhead) {
        Words4 words[kAhead];
#pragma unroll
        for (int c = 0; c < kAhead; ++c) {
          if (first + c < kChunks) words[c] = row.ask(first_depth(first + c), depth);
        }
#pragma unroll
        for (int c = 0; c < kAhead; ++c) {
          if (first + c >= kChunks) continue;
          row.wait_for(words[c], first_depth(first + c));
          weights(first + c).multiply(sums, n, words[c]);
        }
      }
    }
    keep(sums, partial);
  }

  // After a barrier: row `row` of a tile of weights times row `b` of the states.
  static __device__ Sum sum(const Sum* partial, int group, int tile, int row, int b) {
    const int r = row / 8 * 2 + b % 2;
    const int owner = row % 8 * 4 + b % 8 / 2;
    const Sum* first = partial + (group * kSplits * kTiles + tile) * (kBatch * 128) + b / 8 * 128 + r * 32 + owner;
    Sum total = 0;
#pragma unroll
    for (int split = 0; split < kSplits; ++split) total += load_shared(first + split * (kTiles * kBatch * 128));
    return total;
  }

 private:
  static __device__ int first_depth(int chunk) {
    const int split = static_cast<int>(warp()) % kSplits;
    return (chunk * kSplits + split) * P::kChunk + P::place(lane());
  }

  // Chunks of shared memory between two barriers, which keep the compiler from asking for all of it at once: no
  // number of registers would hold that.
  static constexpr int kAtOnce = 4;

  // Of all tiles at one chunk: rows g and g + 8.
  struct Operands {
    Words4 rows[kTiles][2];
    __device__ void multiply(Sum (&sums)[kTiles][kBatch][4], int n, const Words4& state) const {
      const Words4 states[1] = {state};
#pragma unroll
      for (int m = 0; m < kTiles; ++m) P::multiply(sums[m][n], rows[m], states);
    }
  };
  // A thread reads what it wrote: no barrier is needed.
  __device__ Words4* shared_weight(int tile, int chunk, int half) const {
    return shared_weights_ + (((chunk - kInRegisters) * kTiles + tile) * 2 + half) * 32;
  }
  __device__ Operands weights(int chunk) const {
    Operands operands;
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        operands.rows[m][half] =
            chunk < kInRegisters ? weights_[m][chunk][half] : load_shared(shared_weight(m, chunk, half));
      }
    }
    return operands;
  }
  __device__ static void keep(const Sum (&sums)[kTiles][kBatch][4], Sum* partial) {
    Sum* own = partial + warp() * (kTiles * kBatch * 128) + lane();
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kBatch; ++n) {
#pragma unroll
        for (int r = 0; r < 4; ++r) store_shared(own + (m * kBatch + n) * 128 + r * 32, sums[m][n][r]);
      }
    }
  }

  Words4 weights_[kTiles][kInRegisters][2];
  Words4* shared_weights_;
};

}  // namespace lrcn_fast::cuda
