#pragma once

#include "layout.h"
#include "storage.h"
#include "tile.h"

// Products of a few rows with a weight matrix as it lies in memory, row by row: sums run along the depth in the
// lanes of vectors. A weight that one step reads once is not worth packing.
namespace lrcn_fast::cpu::LRCN_ISA {

// Rows of the weight that one tile multiplies.
inline constexpr int kDotColumns = 4;

// total[q] = the sum of the lanes of sums[q].
template <class C>
inline __attribute__((always_inline)) void sum_lanes(const Vec<C> (&sums)[4], Quad<C>& total) {
  if constexpr (kLanes<C> >= 4) {
    constexpr int kQuads = kLanes<C> / 4;
    Quad<C> folded[4], column[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      Quad<C> parts[kQuads];
      memcpy(parts, &sums[q], sizeof(parts));
      folded[q] = parts[0];
#pragma GCC unroll 4
      for (int part = 1; part < kQuads; ++part) folded[q] += parts[part];
    }
    transpose_quads(reinterpret_cast<const C*>(folded), 4, reinterpret_cast<C*>(column), 4);
    total = (column[0] + column[1]) + (column[2] + column[3]);
  } else {
    total = Quad<C>{sums[0][0] + sums[0][1], sums[1][0] + sums[1][1], sums[2][0] + sums[2][1], sums[3][0] + sums[3][1]};
  }
}

// What the rows are copied as: the type that is computed in, unless there are products of the stored type itself.
template <class S>
struct OperandOf {
  using Type = Compute<S>;
};
#if defined(__AVX512BF16__)
template <>
struct OperandOf<BFloat16> {
  using Type = BFloat16;
};
#endif
template <class S>
using Operand = typename OperandOf<S>::Type;

// Terms of each of kLanes<Compute<S>> sums that one instruction adds.
template <class S>
inline constexpr int64_t kDotStep = LRCN_VECTOR_BYTES / static_cast<int64_t>(sizeof(Operand<S>));

template <class S>
inline Vec<Compute<S>> load_terms(const S* source) {
  return load(source);
}
template <class S>
inline Vec<Compute<S>> load_terms(const S* source, int64_t count) {
  return load(source, count);
}
template <class V>
inline void add_products(V& sum, const V& values, const V& weights) {
  sum += values * weights;
}
#if defined(__AVX512BF16__)
inline __m512bh load_terms(const BFloat16* source) { return load_raw<__m512bh>(source); }
inline __m512bh load_terms(const BFloat16* source, int64_t count) {
  return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ull << count) - 1), source));
}
// Two products for each sum.
inline void add_products(Vec<float>& sum, const __m512bh& values, const __m512bh& weights) {
  sum = reinterpret_cast<Vec<float>>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), values, weights));
}
#endif

// Terms of a sum that are added before the next row of the weight is begun: what a tile reads of its rows then stays in
// the first-level cache from one tile to the next.
template <class S>
inline constexpr int64_t kDotDepth = 4096 / static_cast<int64_t>(sizeof(Operand<S>));

// result[r * stride + q] (+)= sum over begin <= k < end of rows[r][k] * weight[q][k] for kDotColumns rows of a weight.
// An element's terms are added in the same order whatever else is in its tile.
template <class S, int R>
inline __attribute__((always_inline)) void dot_tile(const Operand<S>* const* rows, const S* const* weight,
                                                    int64_t begin, int64_t end, Compute<S>* result, int64_t stride) {
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
  for (; k + kDotStep<S> <= end; k += kDotStep<S>) {
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
    Quad<C> total;
    sum_lanes<C>(sums[r], total);
    if (begin > 0) {
      Quad<C> before;
      memcpy(&before, element, sizeof(before));
      total += before;
    }
    memcpy(element, &total, sizeof(total));
  }
}

// What follows a block in memory is most often the next one: tile by tile a piece of it comes into the private cache.
// Where few rows share a block, its reading is all there is to wait for, and the CPU fetches ahead by itself.
class Ahead {
 public:
  Ahead(const void* next, int64_t bytes, int64_t places, int64_t count) : next_(static_cast<const char*>(next)) {
    const int64_t tiles = (places + kTileRows - 1) / kTileRows;
    columns_ = (count + kDotColumns - 1) / kDotColumns;
    if (tiles >= kFewTiles) piece_ = bytes / (tiles * columns_);
  }
  void fetch(int64_t place, int64_t column) const {
    const int64_t call = place / kTileRows * columns_ + column / kDotColumns;
    for (int64_t at = call * piece_; at < (call + 1) * piece_; at += 64) __builtin_prefetch(next_ + at, 0, 2);
  }

 private:
  static constexpr int64_t kFewTiles = 3;
  const char* next_;
  int64_t columns_;
  int64_t piece_ = 0;
};

// result[place * stride + q] for `places` rows and `count` rows of a weight. Whole tiles are written: `stride` is a
// multiple of kDotColumns.
template <class S>
void dot_block(const Operand<S>* const* rows, int64_t places, const S* weight, int64_t depth, int64_t count,
               Compute<S>* result, int64_t stride) {
  const Ahead ahead(weight + count * depth, count * depth * static_cast<int64_t>(sizeof(S)), places, count);
  for (int64_t place = 0; place < places;) {
    const int tile = next_tile(places - place);
    with_rows(tile, [&](auto constant) {
      constexpr int R = decltype(constant)::value;
      for (int64_t begin = 0; begin < depth; begin += kDotDepth<S>) {
        const int64_t end = smaller(begin + kDotDepth<S>, depth);
        for (int64_t q = 0; q < count; q += kDotColumns) {
          // Past the end the last row stands in.
          ahead.fetch(place, q);
          const S* column[kDotColumns];
          for (int each = 0; each < kDotColumns; ++each) column[each] = weight + smaller(q + each, count - 1) * depth;
          dot_tile<S, R>(rows + place, column, begin, end, result + place * stride + q, stride);
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
