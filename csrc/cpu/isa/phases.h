#pragma once

#include "lanes.h"

// Rows of a map cut into phases: phase p of stride s holds the columns p, p + s, p + 2s, .. one beside the
// other, so that neighbouring windows read neighbours.
namespace lrcn_fast::cpu::LRCN_ISA {

// The first `count` lanes, `other` in the rest.
template <class S>
inline Vec<Compute<S>> load_or(const S* source, int64_t count, Compute<S> other) {
  using C = Compute<S>;
  if (count >= kLanes<C>) return load(source);
  const auto inside = lane_numbers<C>() < static_cast<typename VectorOf<C>::Bits>(count < 0 ? 0 : count);
  return inside ? load(source, count < 0 ? 0 : count) : broadcast<C>(other);
}

// Writes `length` columns, a multiple of a vector, of the first `count` phases; `beyond` where the row has ended.
template <class S>
void split_row(const S* row, int64_t width, int64_t stride, int64_t count, Compute<S> beyond, Compute<S>* phases,
               int64_t length) {
  using C = Compute<S>;
  if (stride == 1) {
    for (int64_t i = 0; i < length; i += kLanes<C>) store(phases + i, load_or(row + i, width - i, beyond));
  } else if (stride == 2 && count == 2) {
    for (int64_t i = 0; i < length; i += kLanes<C>) {
      const Vec<C> low = load_or(row + 2 * i, width - 2 * i, beyond);
      const Vec<C> high = load_or(row + 2 * i + kLanes<C>, width - 2 * i - kLanes<C>, beyond);
      store(phases + i, even_lanes<C>(low, high));
      store(phases + length + i, odd_lanes<C>(low, high));
    }
  } else {
    for (int64_t phase = 0; phase < count; ++phase) {
      for (int64_t i = 0; i < length; i += kLanes<C>) {
        Vec<C> values = broadcast<C>(beyond);
        for (int64_t lane = 0; lane < kLanes<C>; ++lane) {
          const int64_t column = (i + lane) * stride + phase;
          if (column < width) values[lane] = load(row + column, 1)[0];
        }
        store(phases + phase * length + i, values);
      }
    }
  }
}

// The way back: columns from i on of every phase, as of_phase(phase) gives them.
template <class S, class OfPhase>
void join_phases(int64_t i, int64_t stride, S* row, int64_t width, OfPhase&& of_phase) {
  using C = Compute<S>;
  if (stride == 1) {
    store(row + i, of_phase(0), width - i);
  } else if (stride == 2) {
    const Vec<C> even = of_phase(0), odd = of_phase(1);
    store(row + 2 * i, interleaved_low<C>(even, odd), width - 2 * i);
    const int64_t high = 2 * i + kLanes<C>;
    if (high < width) store(row + high, interleaved_high<C>(even, odd), width - high);
  } else {
    for (int64_t phase = 0; phase < stride; ++phase) {
      const Vec<C> values = of_phase(phase);
      for (int64_t lane = 0; lane < kLanes<C>; ++lane) {
        const int64_t column = (i + lane) * stride + phase;
        if (column < width) store(row + column, broadcast<C>(values[lane]), 1);
      }
    }
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
