#pragma once

#include "activation.h"
#include "storage.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// exp(x) for x <= 0; below the range of normal results it is the least of them.
template <class C>
inline Vec<C> exponential(Vec<C> x) {
  const ScaledExpm1<C> e = scaled_expm1<C>(at_least<C>(x, ExpConstants<C>::kLowest));
  return e.scale * (e.remainder + 1);
}

template <class C>
inline C exp_of(C x) {
  return exponential<C>(broadcast<C>(x))[0];
}

template <class C>
struct LogSumExp {
  C greatest;
  C sum;  // of exp(x - greatest); NaN where an x is, or where the greatest is infinity

  // The logarithm of all is this and the greatest, which is better left apart: it may be large.
  C log_of_sum() const { return static_cast<C>(__builtin_log(static_cast<double>(sum))); }

  // Of the values of both.
  LogSumExp with(const LogSumExp& other) const;
};

template <class C>
inline LogSumExp<C> LogSumExp<C>::with(const LogSumExp& other) const {
  const LogSumExp& more = other.greatest > greatest ? other : *this;
  const LogSumExp& less = other.greatest > greatest ? *this : other;
  // Two that are infinite have no difference.
  if (less.greatest == more.greatest) return {more.greatest, more.sum + less.sum};
  return {more.greatest, more.sum + less.sum * exp_of<C>(less.greatest - more.greatest)};
}

template <class C>
inline C greatest_lane(Vec<C> x) {
  C result = x[0];
  for (int64_t lane = 1; lane < kLanes<C>; ++lane) result = x[lane] > result ? x[lane] : result;
  return result;
}

template <class C>
inline C sum_of_lanes(Vec<C> x) {
  C result = 0;
  for (int64_t lane = 0; lane < kLanes<C>; ++lane) result += x[lane];
  return result;
}

// Of `count` > 0 values. As in tile.h, long sums are added up in pieces, in an order of their own.
template <class S>
inline LogSumExp<Compute<S>> log_sum_exp(const S* values, int64_t count) {
  using C = Compute<S>;
  constexpr int64_t kPiece = 128 * kLanes<C>;
  const C lowest = -C(__builtin_inf());
  const auto at = [&](int64_t v) {
    Vec<C> x = load(values + v, count - v);
    for (int64_t lane = count - v; lane < kLanes<C>; ++lane) x[lane] = lowest;
    return x;
  };
  Vec<C> most = broadcast<C>(lowest);
  for (int64_t v = 0; v < count; v += kLanes<C>) {
    const Vec<C> x = at(v);
    most = x > most ? x : most;
  }
  LogSumExp<C> result{greatest_lane<C>(most), 0};
  // Where all are -inf there is nothing to take the difference of.
  const C base = result.greatest == lowest ? C(0) : result.greatest;
  Vec<C> sum{};
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const int64_t end = count - begin < kPiece ? count : begin + kPiece;
    Vec<C> piece{};
    int64_t v = begin;
    for (; v + kLanes<C> <= end; v += kLanes<C>) piece += exponential<C>(load(values + v) - base);
    sum += piece;
    // The last lanes of the row alone are not a whole vector: the others are no terms at all.
    for (; v < end; ++v) result.sum += exp_of<C>(load(values + v, 1)[0] - base);
  }
  result.sum += sum_of_lanes<C>(sum);
  return result;
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
