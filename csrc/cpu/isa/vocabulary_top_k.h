#pragma once

#include "dot.h"
#include "layout.h"
#include "log_sum_exp.h"
#include "lrcn_fast/vocabulary_top_k.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// The best words of a row so far, best first. Words come in ascending order, so the first of equals stays.
template <class C>
struct BestWords {
  C* score;
  int64_t* word;  // -1 where there is none yet, with a score of -inf
  int64_t k;

  void clear() {
    for (int64_t at = 0; at < k; ++at) {
      score[at] = -C(__builtin_inf());
      word[at] = -1;
    }
  }
  C worst() const { return score[k - 1]; }
  void add(C new_score, int64_t new_word) {
    int64_t at = k - 1;
    if (!(new_score > score[at])) return;
    for (; at > 0 && new_score > score[at - 1]; --at) {
      score[at] = score[at - 1];
      word[at] = word[at - 1];
    }
    score[at] = new_score;
    word[at] = new_word;
  }
};

// The vocabulary is cut into items of a fixed size, each with a log-sum-exp of its own, so that no sum depends on the
// number of threads. A part of the work is a run of items, which shares a list of best words.
template <class S>
class TopKJob {
  using C = Compute<S>;
  // Weights of a block stay in the private cache while all rows pass.
  static constexpr int64_t kBlock = 64;
  static constexpr int64_t kItem = 4 * kBlock;
  static constexpr C kLowest = sizeof(C) == 8 ? C(-__DBL_MAX__) : C(-__FLT_MAX__);

 public:
  TopKJob(const VocabularyTopK& params, int64_t threads, void* memory)
      : p_(params), items_((params.words + kItem - 1) / kItem), parts_(smaller(threads, items_)) {
    Workspace workspace(memory);
    rows_ = workspace.take<const Operand<S>*>(p_.rows);
    copies_ = workspace.take<Operand<S>>(p_.rows * row_stride<S>(p_.hidden));
    scores_ = workspace.take<C>(parts_ * p_.rows * kBlock);
    totals_ = workspace.take<LogSumExp<C>>(items_ * p_.rows);
    best_scores_ = workspace.take<C>(parts_ * p_.rows * p_.k);
    best_words_ = workspace.take<int64_t>(parts_ * p_.rows * p_.k);
    bytes_ = workspace.used();
  }

  size_t workspace_bytes() const { return bytes_; }

  void run(const Parallel& parallel) {
    if (p_.rows == 0) return;
    for (int64_t n = 0; n < p_.rows; ++n) {
      const S* row = static_cast<const S*>(p_.states) + n * p_.hidden;
      rows_[n] = copy_operand<S>(row, p_.hidden, copies_ + n * row_stride<S>(p_.hidden));
    }
    parallel.run(
        parts_,
        [](int64_t begin, int64_t end, void* context) {
          for (int64_t part = begin; part < end; ++part) static_cast<TopKJob*>(context)->run_part(part);
        },
        this);
    parallel.run(
        p_.rows,
        [](int64_t begin, int64_t end, void* context) {
          for (int64_t n = begin; n < end; ++n) static_cast<TopKJob*>(context)->finish(n);
        },
        this);
  }

 private:
  BestWords<C> best(int64_t part, int64_t n) const {
    const int64_t first = (part * p_.rows + n) * p_.k;
    return {best_scores_ + first, best_words_ + first, p_.k};
  }

  void run_part(int64_t part) {
    C* scores = scores_ + part * p_.rows * kBlock;
    for (int64_t n = 0; n < p_.rows; ++n) best(part, n).clear();
    for (int64_t item = items_ * part / parts_; item < items_ * (part + 1) / parts_; ++item) {
      const int64_t end = smaller((item + 1) * kItem, p_.words);
      for (int64_t word = item * kItem; word < end; word += kBlock) {
        const int64_t count = smaller(kBlock, end - word);
        const S* weight = static_cast<const S*>(p_.weight) + word * p_.hidden;
        dot_block<S>(rows_, p_.rows, weight, p_.hidden, count, scores, kBlock, weight + count * p_.hidden);
        for (int64_t n = 0; n < p_.rows; ++n) {
          C* row = scores + n * kBlock;
          add_bias(row, word, count);
          LogSumExp<C>& total = totals_[item * p_.rows + n];
          const LogSumExp<C> block = log_sum_exp<C>(row, count);
          total = word == item * kItem ? block : total.with(block);
          add_best(best(part, n), row, block.greatest, word, count);
        }
      }
    }
  }

  void add_bias(C* row, int64_t word, int64_t count) const {
    if (p_.bias == nullptr) return;
    const S* bias = static_cast<const S*>(p_.bias) + word;
    for (int64_t v = 0; v < count; v += kLanes<C>) {
      store(row + v, load(row + v, count - v) + load(bias + v, count - v), count - v);
    }
  }

  // NaN and what is below all numbers count as kLowest.
  void add_best(BestWords<C> best, const C* row, C greatest, int64_t word, int64_t count) const {
    // Most blocks, once the list has filled.
    if (best.worst() >= kLowest && !(greatest > best.worst())) return;
    for (int64_t v = 0; v < count; ++v) {
      if (p_.forbidden != nullptr && p_.forbidden[word + v]) continue;
      best.add(row[v] > kLowest ? row[v] : kLowest, word + v);
    }
  }

  // The parts hold ascending runs of words, so that the first of equals is still the lower.
  void finish(int64_t n) {
    BestWords<C> whole = best(0, n);
    for (int64_t part = 1; part < parts_; ++part) {
      const BestWords<C> other = best(part, n);
      for (int64_t at = 0; at < p_.k && other.word[at] >= 0; ++at) whole.add(other.score[at], other.word[at]);
    }
    LogSumExp<C> total = totals_[n];
    for (int64_t item = 1; item < items_; ++item) total = total.with(totals_[item * p_.rows + n]);
    C* log_probs = static_cast<C*>(p_.log_probs) + n * p_.k;
    for (int64_t at = 0; at < p_.k; ++at) {
      const C score = whole.score[at] > kLowest ? whole.score[at] : -C(__builtin_inf());
      log_probs[at] = whole.word[at] < 0 ? score : (score - total.greatest) - total.log_of_sum();
      p_.found[n * p_.k + at] = whole.word[at];
    }
  }

  const VocabularyTopK& p_;
  const int64_t items_;
  const int64_t parts_;
  const Operand<S>** rows_;  // (N,)
  Operand<S>* copies_;       // (N, H)
  C* scores_;                // (parts, N, kBlock)
  LogSumExp<C>* totals_;     // (items, N)
  C* best_scores_;           // (parts, N, k)
  int64_t* best_words_;      // (parts, N, k)
  size_t bytes_;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
