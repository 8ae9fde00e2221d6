#pragma once

#include "lanes.h"

// Local response normalisation along lines of values. The line of a channel is followed, `step` further on,
// by the next channel's: with channels that are neighbours one line holds them all and the step is 1. Beyond
// the first and the last channel lie zeros, as many as a window reaches.
namespace lrcn_fast::cpu::LRCN_ISA {

template <class C>
struct Lrn {
  int64_t around;  // channels on either side of the window's centre that can exist
  C ratio;         // alpha / lrn_size
  C beta;
  C k;

  Lrn(int64_t size, int64_t channels, double alpha, double beta, double k)
      : around(size / 2 < channels ? size / 2 : channels - 1),
        ratio(static_cast<C>(alpha / static_cast<double>(size))),
        beta(static_cast<C>(beta)),
        k(static_cast<C>(k)) {}

  Vec<C> scale(const C* values, int64_t step) const {
    Vec<C> sum = {};
    for (int64_t channel = -around; channel <= around; ++channel) {
      const Vec<C> value = load(values + channel * step);
      sum += value * value;
    }
    return sum * ratio + k;
  }

  // scale^beta. Two square roots are exact and cost a fraction of any power.
  Vec<C> denominator(Vec<C> scale) const {
    if (beta != C(0.75)) return power<C>(scale, beta);
    const Vec<C> half = root<C>(scale);
    return half * root<C>(half);
  }
};

template <class C, class Out>
void normalize(const Lrn<C>& lrn, const C* values, int64_t step, int64_t count, Out* output) {
  for (int64_t i = 0; i < count; i += kLanes<C>) {
    store(output + i, load(values + i) / lrn.denominator(lrn.scale(values + i, step)), count - i);
  }
}

// First half of the backward: direct = grad / s^beta, spread = grad * value / s^(beta + 1). Of spread nothing
// beyond `count` is written: the zeros there belong to the windows.
template <class C, class In>
void normalize_backward_at(const Lrn<C>& lrn, const C* values, int64_t step, int64_t count, const In* grad, C* direct,
                           C* spread) {
  for (int64_t i = 0; i < count; i += kLanes<C>) {
    const Vec<C> scale = lrn.scale(values + i, step);
    const Vec<C> kept = load(grad + i, count - i) / lrn.denominator(scale);
    store(direct + i, kept);
    store(spread + i, kept * load(values + i) / scale, count - i);
  }
}

// Second half, at i: direct - 2 alpha beta / lrn_size * value * (sum of spread over the channels around).
template <class C>
inline Vec<C> normalize_backward_around(const Lrn<C>& lrn, const C* values, int64_t step, const C* direct,
                                        const C* spread, int64_t i) {
  Vec<C> sum = {};
  for (int64_t channel = -lrn.around; channel <= lrn.around; ++channel) sum += load(spread + channel * step + i);
  return load(direct + i) - 2 * lrn.ratio * lrn.beta * load(values + i) * sum;
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
