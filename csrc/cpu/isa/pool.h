#pragma once

#include "lanes.h"
#include "places.h"

// Windows of a max-pooling: their largest values with the places these come from.
namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
inline Vec<C> positive(Vec<C> value) {
  return value <= 0 ? Vec<C>{} : value;
}

template <class C>
struct Largest {
  Vec<C> value;
  BitsVec<C> place;

  void rectify() {
    place = value <= 0 ? all_places<C>(kBlockedPlace) : place;
    value = positive<C>(value);
  }
};

// What there is of a window: `rows` and `columns` of its kernel_y x kernel_x places. Column k lies offset[k]
// after the first.
struct Window {
  int64_t rows, columns;
  int64_t row_step;
  const int64_t* offset;
  int64_t kernel_x;
};

template <bool kIndexed, class In, class C = Compute<In>>
inline __attribute__((always_inline)) Largest<C> largest(const In* first, const Window& window, int64_t rows,
                                                         int64_t columns, int64_t count) {
  Largest<C> best = {load(first, count), BitsVec<C>{}};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = row == 0 ? 1 : 0; column < columns; ++column) {
      const Vec<C> value = load(first + row * window.row_step + window.offset[column], count);
      const auto wins = (value > best.value) | (value != value);
      best.value = wins ? value : best.value;
      if constexpr (kIndexed) {
        best.place = wins ? all_places<C>(row * window.kernel_x + column) : best.place;
      }
    }
  }
  return best;
}

// Of the `count` first lanes; the other ones are zero, as memory is there that is not read.
template <bool kIndexed, class In, class C = Compute<In>>
inline Largest<C> largest_in(const In* first, const Window& window, int64_t count) {
  if (count < kLanes<C>) return largest<kIndexed>(first, window, window.rows, window.columns, count);
  if (window.rows == 3 && window.columns == 3) return largest<kIndexed>(first, window, 3, 3, kLanes<C>);
  return largest<kIndexed>(first, window, window.rows, window.columns, kLanes<C>);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
