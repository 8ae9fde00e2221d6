#pragma once

#include "operand.h"
#include "tile.h"

namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
inline int64_t panels_for(int64_t columns) {
  return (columns + kPanelWidth<C> - 1) / kPanelWidth<C>;
}

// Elements of a packed panel.
template <class S>
inline int64_t panel_size(int64_t depth) {
  return padded_depth<S>(depth) * kPanelWidth<Compute<S>>;
}

// A word of a panel is what a lane has of it: kTerms<S> elements, one after the other along the depth. `rows` are the
// elements of the words one by one.
template <class S>
inline Vec<Compute<S>> make_words(const Vec<Compute<S>> (&rows)[kTerms<S>]) {
  if constexpr (kTerms<S> == 1) {
    return rows[0];
  } else {
    return reinterpret_cast<Vec<float>>(reinterpret_cast<UBits>(rows[0]) >> 16 | reinterpret_cast<UBits>(rows[1]));
  }
}

// Panel p of a matrix whose rows are the depth: panel[k][lane] = matrix[k][p * width + lane], zeros past `columns` and
// `depth`.
template <class S>
void pack_panel(const S* matrix, int64_t depth, int64_t columns, int64_t p, Operand<S>* panel) {
  using C = Compute<S>;
  const int64_t first = p * kPanelWidth<C>;
  for (int64_t k = 0; k < depth; k += kTerms<S>) {
    for (int q = 0; q < kPanel; ++q) {
      int64_t column = first + q * kLanes<C>;
      int64_t count = columns - column;
      Vec<C> rows[kTerms<S>] = {};
      for (int64_t term = 0; term < kTerms<S> && k + term < depth && count > 0; ++term) {
        rows[term] = load(matrix + (k + term) * columns + column, count);
      }
      const Vec<C> words = make_words<S>(rows);
      memcpy(static_cast<void*>(panel + k * kPanelWidth<C> + q * kTerms<S> * kLanes<C>), &words, sizeof(words));
    }
  }
}

// Four elements, whatever the instruction set: the unit of a transposition.
template <class C>
using Quad __attribute__((vector_size(4 * sizeof(C)))) = C;

// result = elements of `low` (0 to 3) and `high` (4 to 7) in the order of the arguments. By reference, because
// passing a vector that is wider than the registers has no fixed convention.
template <int First, int Second, int Third, int Fourth, class V>
inline void shuffle(const V& low, const V& high, V& result) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
  result = __builtin_shufflevector(low, high, First, Second, Third, Fourth);
#else
  using Index = decltype(low < high);
  result = __builtin_shuffle(low, high, Index{First, Second, Third, Fourth});
#endif
}

// target[k][column] = source[column][k] for 4 x 4 elements.
template <class C>
inline void transpose_quads(const C* source, int64_t source_stride, C* target, int64_t target_stride) {
  Quad<C> row[4], half[4], column[4];
  for (int r = 0; r < 4; ++r) memcpy(&row[r], source + r * source_stride, sizeof(row[r]));
  for (int r = 0; r < 4; r += 2) {
    shuffle<0, 4, 1, 5>(row[r], row[r + 1], half[r]);
    shuffle<2, 6, 3, 7>(row[r], row[r + 1], half[r + 1]);
  }
  for (int r = 0; r < 2; ++r) {
    shuffle<0, 1, 4, 5>(half[r], half[r + 2], column[2 * r]);
    shuffle<2, 3, 6, 7>(half[r], half[r + 2], column[2 * r + 1]);
  }
  for (int k = 0; k < 4; ++k) memcpy(target + k * target_stride, &column[k], sizeof(column[k]));
}

// Words of a row that are transposed together.
inline constexpr int64_t kPiece = 16;

// words[k] = those of a row with `count` elements, up to kPiece of them; zeros past them.
template <class S>
inline void load_words(const S* row, int64_t count, Compute<S>* words) {
  using C = Compute<S>;
  if constexpr (sizeof(S) == sizeof(Operand<S>)) {
    constexpr int64_t kWhole = kPiece * kTerms<S>;
    // Of a constant size it is a few moves.
    if (count == kWhole) {
      memcpy(words, row, static_cast<size_t>(kWhole) * sizeof(S));
    } else {
      memcpy(words, row, static_cast<size_t>(count) * sizeof(S));
    }
  } else {
    for (int64_t k = 0; k < count; k += kLanes<C>) store(words + k, load(row + k, count - k), count - k);
  }
}

// Panel of a matrix whose columns are the depth. Its vectors q begin at the matrix rows first[q]; `valid` of
// their lanes exist. Works through the depth in pieces, so that both sides stay in the first-level cache.
template <class S>
void pack_transposed_panel(const S* matrix, int64_t depth, const int64_t* first, const int64_t* valid,
                           Operand<S>* panel) {
  using C = Compute<S>;  // as which words are moved, whatever they hold
  const int64_t words = padded_depth<S>(depth) / kTerms<S>;
  for (int64_t begin = 0; begin < words; begin += kPiece) {
    const int64_t count = words - begin < kPiece ? words - begin : kPiece;
    const int64_t left = depth - begin * kTerms<S>;
    for (int64_t column = 0; column < kPanelWidth<C>; column += 4) {
      C source[4][kPiece] = {};
      for (int64_t r = 0; r < 4; ++r) {
        const int64_t q = (column + r) / kLanes<C>;
        const int64_t lane = (column + r) % kLanes<C>;
        if (lane >= valid[q]) continue;
        const S* row = matrix + (first[q] + lane) * depth + begin * kTerms<S>;
        load_words(row, left < count * kTerms<S> ? left : count * kTerms<S>, source[r]);
      }
      C* target = reinterpret_cast<C*>(panel) + begin * kPanelWidth<C> + column;
      int64_t k = 0;
      for (; k + 4 <= count; k += 4) {
        transpose_quads(source[0] + k, kPiece, target + k * kPanelWidth<C>, kPanelWidth<C>);
      }
      for (; k < count; ++k) {
        for (int64_t r = 0; r < 4; ++r) target[k * kPanelWidth<C> + r] = source[r][k];
      }
    }
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
