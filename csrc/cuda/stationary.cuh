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
// depth. kChunks: chunks of the depth each of them holds. kInRegisters: of the kChunks * kTiles operands of a thread,
// those that it keeps there. kBatch: eights of rows of the batch. kShares: blocks that share out the depth besides.
template <class P, int kWarps, int kTiles, int kSplits, int kChunks, int kInRegisters, int kBatch, int kShares = 1>
class Stationary {
 public:
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  static constexpr unsigned kThreads = kWarps * 32;
  static constexpr int kGroups = kWarps / kSplits;  // of kTiles tiles each
  static constexpr int kDepth = P::kChunk * kSplits * kChunks * kShares;
  // Rows of states in shared memory: half a line of 128 bytes apart, so that eight rows lie in different banks.
  static constexpr int kPitch =
      kDepth + ((kDepth * static_cast<int>(sizeof(T))) % 128 == 64 ? 0 : 64 / static_cast<int>(sizeof(T)));
  static constexpr std::size_t kStateBytes = sizeof(T) * 8 * kBatch * kPitch;
  static constexpr std::size_t kPartialBytes = sizeof(Sum) * kWarps * kTiles * kBatch * 128;

  static constexpr int kInShared = kChunks * kTiles - kInRegisters;
  static constexpr std::size_t kWeightBytes = sizeof(Words4) * 32 * kWarps * kInShared * 2;

  // shared_weights: kWeightBytes of shared memory. share: of the depth, that of this block.
  __device__ explicit Stationary(void* shared_weights, int share = 0)
      : shared_weights_(static_cast<Words4*>(shared_weights) + warp() * (32 * kInShared * 2) + lane()), share_(share) {}

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
        const int operand = c * kTiles + m;
        const bool keeps = operand < kInRegisters;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const Piece piece = piece_of(m, static_cast<int>(lane() / 4) + 8 * half, first_depth(c));
          Elements elements;
#pragma unroll
          for (int e = 0; e < kElements; ++e) {
            elements.at[e] = e < piece.count ? load(piece.first + e * piece.stride) : to_storage<T>(0);
          }
          if (kInShared == 0) {
            weights_[operand][half] = bits_as<Words4>(elements);
          } else {
            store_shared(shared_weight(keeps ? kInRegisters : operand, half), bits_as<Words4>(elements));
          }
        }
        // Keeps the compiler from asking for all weights at once, which no number of registers would hold. For the
        // same reason they go through shared memory: else it packs them late.
        warp_barrier();
#pragma unroll
        for (int half = 0; half < 2 && keeps && kInShared > 0; ++half) {
          weights_[operand][half] = load_shared(shared_weight(kInRegisters, half));
        }
      }
    }
  }

  // states: (8 kBatch, kPitch) in shared memory.
  __device__ void multiply(const T* states, Sum* partial) {
    Sum sums[kTiles][kBatch][4] = {};
    const int own = renewed_depth();
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      Words4 words[kBatch];
#pragma unroll
      for (int n = 0; n < kBatch; ++n) {
        const T* row = states + (n * 8 + static_cast<int>(lane() / 4)) * kPitch + own + c * kStep;
        words[n] = load_shared(reinterpret_cast<const Words4*>(row));
      }
      multiply_chunk(sums, c, words, 0);
      if (kChunks > kAtOnce && c % kAtOnce == kAtOnce - 1) warp_barrier();
    }
    keep(sums, partial);
  }

  // source(n): the row of states that this thread takes part of in the n-th eight of the batch.
  template <class Source>
  __device__ void multiply_arriving(Source source, std::int64_t depth, Sum* partial) {
    // All eights of a chunk in turn, so that its weights are read once. Some words are on their way all the time.
    constexpr int kWords = kChunks * kBatch;
    constexpr int kAhead = kWords < 4 ? kWords : 4;
    static_assert(kAhead % kBatch == 0, "whole chunks");
    Sum sums[kTiles][kBatch][4] = {};
    const int own = renewed_depth();
    Arriving<T> rows[kBatch];
#pragma unroll
    for (int n = 0; n < kBatch; ++n) rows[n] = source(n);
    Words4 words[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) words[i] = rows[i % kBatch].ask(own + i / kBatch * kStep, depth);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      const int first = c * kBatch % kAhead;
#pragma unroll
      for (int n = 0; n < kBatch; ++n) rows[n].wait_for(words[first + n], own + c * kStep);
      multiply_chunk(sums, c, words, first);
      const int later = c + kAhead / kBatch;
#pragma unroll
      for (int n = 0; n < kBatch && later < kChunks; ++n) words[first + n] = rows[n].ask(own + later * kStep, depth);
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
  static constexpr int kStep = kShares * kSplits * P::kChunk;  // from chunk to chunk of a warp
  __device__ int first_depth(int chunk) const {
    const int split = share_ * kSplits + static_cast<int>(warp()) % kSplits;
    return chunk * kStep + split * P::kChunk + P::place(lane());
  }

  // first_depth(0). No registers are left to keep the places of all chunks from turn to turn.
  __device__ int renewed_depth() const {
    int depth = first_depth(0);
    renew(depth);
    return depth;
  }

  // Chunks of shared memory between two barriers, which keep the compiler from asking for all of it at once: no
  // number of registers would hold that.
  static constexpr int kAtOnce = 4;

  // A thread reads what it wrote: no barrier is needed.
  __device__ Words4* shared_weight(int operand, int half) const {
    return shared_weights_ + ((operand - kInRegisters) * 2 + half) * 32;
  }
  // Rows g and g + 8 of all tiles, tile by tile: no more of the weights in shared memory need registers at a time.
  template <int kWords>
  __device__ void multiply_chunk(Sum (&sums)[kTiles][kBatch][4], int chunk, const Words4 (&words)[kWords], int first) {
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      const int operand = chunk * kTiles + m;
      Words4 rows[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        rows[half] = operand < kInRegisters ? weights_[operand][half] : load_shared(shared_weight(operand, half));
        if (P::kTerms > 1) renew(rows[half]);
      }
#pragma unroll
      for (int n = 0; n < kBatch; ++n) {
        const Words4 states[1] = {words[first + n]};
        P::multiply(sums[m][n], rows, states);
      }
    }
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

  Words4 weights_[kInRegisters][2];
  Words4* shared_weights_;
  int share_;
};

}  // namespace lrcn_fast::cuda
