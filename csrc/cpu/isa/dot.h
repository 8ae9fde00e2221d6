#pragma once

#include "lanes.h"
#include "layout.h"
#include "operand.h"
#include "tile.h"

// Products of a few rows with a weight matrix as it lies in memory, row by row: sums run along the depth in the
// lanes of vectors. A weight that one step reads once is not worth packing.
namespace lrcn_fast::cpu::LRCN_ISA {

// Rows of the weight that one tile multiplies.
inline constexpr int kDotColumns = 4;

// Each lane is the sum of two neighbours: the pairs of a, then those of b.
template <class C>
inline __attribute__((always_inline)) Vec<C> sum_pairs(Vec<C> a, Vec<C> b) {
  return even_lanes<C>(a, b) + odd_lanes<C>(a, b);
}

// total[q] = the sum of the lanes of sums[q].
template <class C>
inline __attribute__((always_inline)) void sum_lanes(const Vec<C> (&sums)[4], C* total) {
  const Vec<C> low = sum_pairs<C>(sums[0], sums[1]), high = sum_pairs<C>(sums[2], sums[3]);
  if constexpr (kLanes<C> == 2) {
    store(total, low);
    store(total + 2, high);
  } else {
    Vec<C> all = sum_pairs<C>(low, high);
    for (int64_t lanes = kLanes<C> / 4; lanes > 1; lanes /= 2) all = sum_pairs<C>(all, all);
    memcpy(total, &all, 4 * sizeof(C));
  }
}

// Terms of each of kLanes<Compute<S>> sums that one instruction adds.
template <class S>
inline constexpr int64_t kDotStep = LRCN_VECTOR_BYTES / static_cast<int64_t>(sizeof(Operand<S>));

// Terms of a sum that are added before the next row of the weight is begun: what a tile reads of its rows then stays in
// the first-level cache from one tile to the next.
template <class S>
inline constexpr int64_t kDotDepth = 4096 / static_cast<int64_t>(sizeof(Operand<S>));

inline constexpr int64_t kCacheLine = 64;

// result[r * stride + q] (+)= sum over begin <= k < end of rows[r][k] * weight[q][k] for kDotColumns rows of a weight.
// An element's terms are added in the same order whatever else is in its tile. Every step fetches `LINES` cache lines
// at `ahead`, into the second-level cache where they are several, and moves it on by `pace` bytes.
template <class S, int R, int LINES>
inline __attribute__((always_inline)) void dot_tile(const Operand<S>* const* rows, const S* const* weight,
                                                    int64_t begin, int64_t end, Compute<S>* result, int64_t stride,
                                                    const char* ahead, int64_t pace) {
  using C = Compute<S>;
  using Terms = decltype(load_terms(weight[0]));
  Vec<C> sums[R][kDotColumns] = {};
  // Unrolled throughout, because the sums stay in registers only where every index is a constant.
  const auto add = [&](const Terms* weights, int64_t k) __attribute__((always_inline)) {
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const Terms values = load_terms(rows[r] + k);
#pragma GCC unroll 4
      for (int q = 0; q < kDotColumns; ++q) add_products(sums[r][q], values, weights[q]);
    }
  };
  Terms weights[kDotColumns];
  int64_t k = begin;
  for (; k + kDotStep<S> <= end; k += kDotStep<S>, ahead += pace) {
#pragma GCC unroll 4
    for (int line = 0; line < LINES; ++line) __builtin_prefetch(ahead + line * kCacheLine, 0, LINES > 1 ? 2 : 3);
#pragma GCC unroll 4
    for (int q = 0; q < kDotColumns; ++q) weights[q] = load_terms(weight[q] + k);
    add(weights, k);
  }
  if (k < end) {
#pragma GCC unroll 4
    for (int q = 0; q < kDotColumns; ++q) weights[q] = load_terms(weight[q] + k, end - k);
    add(weights, k);
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    C* element = result + r * stride;
    C total[kDotColumns];
    sum_lanes<C>(sums[r], total);
#pragma GCC unroll 4
    for (int q = 0; q < kDotColumns; ++q) element[q] = begin > 0 ? element[q] + total[q] : total[q];
  }
}

// Bytes of a weight that one step of a tile reads.
template <class S>
inline constexpr int64_t kStepBytes = kDotColumns * kDotStep<S> * static_cast<int64_t>(sizeof(S));

// Of shorter rows several lie in one page.
template <class S>
inline constexpr int64_t kWorthStreaming = 2048 / static_cast<int64_t>(sizeof(S));

// What a tile fetches while it multiplies. Many tiles share the reading of a block: tile by tile a piece of the next
// block comes into the private cache, its pace slow, because a burst of fetches would stop the CPU. Few tiles wait for
// the memory alone: the first fetches the columns of the next one, from end to end as they lie, since the CPU by itself
// does not look past the end of a page in each of several rows.
template <class S>
class Ahead {
 public:
  Ahead(const S* weight, const S* next, int64_t depth, int64_t places, int64_t count)
      : weight_(weight),
        next_(next),
        depth_(depth),
        count_(count),
        columns_((count + kDotColumns - 1) / kDotColumns),
        streams_(places <= (kDotColumns - 1) * kTileRows && depth >= kWorthStreaming<S>) {
    const int64_t tiles = (places + kTileRows - 1) / kTileRows;
    const int64_t steps = (depth + kDotStep<S> - 1) / kDotStep<S>;
    if (streams_) {
      pace_ = kStepBytes<S>;
    } else if (tiles >= kDotColumns) {
      // A cache line at most.
      pace_ = count * depth * static_cast<int64_t>(sizeof(S)) / (tiles * columns_ * steps);
    }
    piece_ = pace_ * steps;
  }
  // Whether the tile at this place fetches all that its successor reads.
  bool streams(int64_t place) const { return streams_ && place == 0; }
  // Of the tile at this place and column.
  const char* from(int64_t place, int64_t column, int64_t begin) const {
    const char* next = reinterpret_cast<const char*>(next_);
    const int64_t done = begin / kDotStep<S> * pace_;
    if (streams_) {
      const int64_t after = column + kDotColumns;
      return (after < count_ ? reinterpret_cast<const char*>(weight_ + after * depth_) : next) + done;
    }
    const int64_t tile = place / kTileRows * columns_ + column / kDotColumns;
    return next + tile * piece_ + done;
  }
  int64_t pace() const { return pace_; }

 private:
  const S* weight_;
  const S* next_;
  int64_t depth_, count_, columns_;
  bool streams_;
  int64_t pace_ = 0;  // bytes a step
  int64_t piece_;     // bytes a tile
};

// result[place * stride + q] for `places` rows and `count` rows of a weight. Whole tiles are written: `stride` is a
// multiple of kDotColumns. `next` is the weight of the next call.
template <class S>
void dot_block(const Operand<S>* const* rows, int64_t places, const S* weight, int64_t depth, int64_t count,
               Compute<S>* result, int64_t stride, const S* next) {
  constexpr int kStreamed = static_cast<int>(kStepBytes<S> < kCacheLine ? 1 : kStepBytes<S> / kCacheLine);
  const Ahead<S> ahead(weight, next, depth, places, count);
  for (int64_t place = 0; place < places;) {
    const int tile = next_tile(places - place);
    with_rows(tile, [&](auto constant) {
      constexpr int R = decltype(constant)::value;
      const auto multiply = ahead.streams(place) ? dot_tile<S, R, kStreamed> : dot_tile<S, R, 1>;
      for (int64_t begin = 0; begin < depth; begin += kDotDepth<S>) {
        const int64_t end = smaller(begin + kDotDepth<S>, depth);
        for (int64_t q = 0; q < count; q += kDotColumns) {
          // Past the end the last row stands in.
          const S* column[kDotColumns];
          for (int each = 0; each < kDotColumns; ++each) column[each] = weight + smaller(q + each, count - 1) * depth;
          multiply(rows + place, column, begin, end, result + place * stride + q, stride, ahead.from(place, q, begin),
                   ahead.pace());
        }
      }
    });
    place += tile;
  }
}

// Elements from one row's copy to the next: whole cache lines.
template <class S>
inline int64_t row_stride(int64_t width) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Operand<S>));
  return (width + kLine - 1) / kLine * kLine;
}

// Copies a row as an operand, with zeros up to the end of its last cache line.
template <class S>
const Operand<S>* copy_operand(const S* row, int64_t width, Operand<S>* copy) {
  if constexpr (sizeof(S) == sizeof(Operand<S>)) {
    memcpy(static_cast<void*>(copy), row, static_cast<size_t>(width) * sizeof(S));
    fill_zero(copy, width, row_stride<S>(width));
  } else {
    using C = Compute<S>;
    for (int64_t k = 0; k < row_stride<S>(width); k += kLanes<C>) {
      store(copy + k, k < width ? load(row + k, width - k) : Vec<C>{});
    }
  }
  return copy;
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
