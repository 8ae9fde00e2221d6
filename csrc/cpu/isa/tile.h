#pragma once

#include "vector.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// A weight matrix is packed into panels of kPanel vectors side by side. One tile multiplies up to kTileRows
// rows with one panel and keeps all kTileRows * kPanel sums in registers: 24 of AVX-512's 32, 12 of 16 else.
inline constexpr int kPanel = 4;
#if defined(__AVX512F__)
inline constexpr int kTileRows = 6;
#else
inline constexpr int kTileRows = 3;
#endif

template <class C>
inline constexpr int64_t kPanelWidth = kPanel * kLanes<C>;

template <class C, int R>
struct Sums {
  Vec<C> at[R][kPanel];
};

// A sum is formed in pieces of this many terms, which are then added up: one long chain of additions would
// lose twice the accuracy that a blocked library product loses.
inline constexpr int64_t kSumPiece = 128;

// sums[r][q] = sum over k of rows[r][k] * panel[k][q]. The order of the additions is the same for every row,
// whichever rows share its tile: a result does not depend on the number of threads.
template <class C, int R>
inline __attribute__((always_inline)) Sums<C, R> multiply(const C* const* rows, int64_t depth, const C* panel) {
  Sums<C, R> sums = {};
  const C* row[R];
  for (int r = 0; r < R; ++r) row[r] = rows[r];
  for (int64_t begin = 0; begin < depth; begin += kSumPiece) {
    const int64_t end = depth - begin < kSumPiece ? depth : begin + kSumPiece;
    Sums<C, R> piece = {};
    for (int64_t k = begin; k < end; ++k) {
      const Vec<C>* line = reinterpret_cast<const Vec<C>*>(panel + k * kPanelWidth<C>);
      Vec<C> weights[kPanel];
      for (int q = 0; q < kPanel; ++q) weights[q] = line[q];
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        Vec<C> value = broadcast<C>(row[r][k]);
#pragma GCC unroll 4
        for (int q = 0; q < kPanel; ++q) piece.at[r][q] += value * weights[q];
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int q = 0; q < kPanel; ++q) sums.at[r][q] += piece.at[r][q];
    }
  }
  return sums;
}

// Number of rows of the next tile when `left` rows are to be cut into as few tiles as possible, alike in size.
inline int next_tile(int64_t left) {
  int64_t tiles = (left + kTileRows - 1) / kTileRows;
  return static_cast<int>((left + tiles - 1) / tiles);
}

template <int R>
struct Rows {
  static constexpr int value = R;
};

// visit(Rows<rows>{}): the number of rows as a constant.
template <class Visitor>
inline void with_rows(int rows, Visitor&& visit) {
  switch (rows) {
    case 1:
      return visit(Rows<1>{});
    case 2:
      return visit(Rows<2>{});
    case 3:
      return visit(Rows<3>{});
#if defined(__AVX512F__)
    case 4:
      return visit(Rows<4>{});
    case 5:
      return visit(Rows<5>{});
    case 6:
      return visit(Rows<6>{});
#endif
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
