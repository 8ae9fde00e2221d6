#pragma once

#include "log_sum_exp.h"
#include "lrcn_fast/cross_entropy.h"
#include "lrcn_fast/parallel.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// A row passes from memory to the first-level caches once: greatest score, sum, gradient.
template <class S>
void cross_entropy_row(const CrossEntropy& p, int64_t row) {
  using C = Compute<S>;
  S* logits = static_cast<S*>(p.logits) + row * p.words;
  C* loss = static_cast<C*>(p.losses) + row;
  const int64_t target = p.targets[row];
  if (target == p.ignore_index) {
    *loss = 0;
    if (p.gradient) memset(static_cast<void*>(logits), 0, static_cast<size_t>(p.words) * sizeof(S));
    return;
  }
  const LogSumExp<C> total = log_sum_exp<S>(logits, p.words);
  const bool known = target >= 0 && target < p.words;
  const C chosen = known ? load(logits + target, 1)[0] : C(__builtin_nan(""));
  *loss = total.log_of_sum() + (total.greatest - chosen);
  if (!p.gradient) return;

  const C scale = *static_cast<const C*>(p.scale);
  const C factor = scale / total.sum;
  const C at_target = known ? exp_of<C>(chosen - total.greatest) * factor - scale : C(0);
  for (int64_t v = 0; v < p.words; v += kLanes<C>) {
    const int64_t count = p.words - v;
    store(logits + v, exponential<C>(load(logits + v, count) - total.greatest) * factor, count);
  }
  if (known) store(logits + target, broadcast<C>(at_target), 1);
}

template <class S>
void cross_entropy_rows(int64_t begin, int64_t end, void* context) {
  const auto& params = *static_cast<const CrossEntropy*>(context);
  for (int64_t row = begin; row < end; ++row) cross_entropy_row<S>(params, row);
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
