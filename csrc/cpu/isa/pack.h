#pragma once

#include "storage.h"
#include "tile.h"

namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
inline int64_t panels_for(int64_t columns) {
  return (columns + kPanelWidth<C> - 1) / kPanelWidth<C>;
}

// Panel p of a matrix whose rows are the depth: panel[k][lane] = matrix[k][p * width + lane], zeros past `columns`.
template <class S>
void pack_panel(const S* matrix, int64_t depth, int64_t columns, int64_t p, Compute<S>* panel) {
  using C = Compute<S>;
  const int64_t first = p * kPanelWidth<C>;
  for (int64_t k = 0; k < depth; ++k) {
    for (int q = 0; q < kPanel; ++q) {
      int64_t column = first + q * kLanes<C>;
      int64_t count = columns - column;
      Vec<C> value = count > 0 ? load(matrix + k * columns + column, count) : Vec<C>{};
      store(panel + k * kPanelWidth<C> + q * kLanes<C>, value);
    }
  }
}

// Panel of a matrix whose columns are the depth. Its vectors q begin at the matrix rows first[q]; `valid` of
// their lanes exist. Works through the depth in pieces, so that both sides stay in the first-level cache.
template <class S>
void pack_transposed_panel(const S* matrix, int64_t depth, const int64_t* first, const int64_t* valid,
                           Compute<S>* panel) {
  using C = Compute<S>;
  constexpr int64_t kPiece = 16;
  for (int64_t begin = 0; begin < depth; begin += kPiece) {
    int64_t count = depth - begin < kPiece ? depth - begin : kPiece;
    for (int q = 0; q < kPanel; ++q) {
      for (int64_t lane = 0; lane < kLanes<C>; ++lane) {
        C piece[kPiece] = {};
        if (lane < valid[q]) {
          const S* source = matrix + (first[q] + lane) * depth + begin;
          for (int64_t k = 0; k < kPiece; k += kLanes<C>) {
            int64_t some = count - k;
            if (some > 0) store(piece + k, load(source + k, some));
          }
        }
        C* target = panel + begin * kPanelWidth<C> + q * kLanes<C> + lane;
        for (int64_t k = 0; k < count; ++k) target[k * kPanelWidth<C>] = piece[k];
      }
    }
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
