#pragma once

#include "activation.h"
#include "dot.h"
#include "layout.h"
#include "lrcn_fast/lstm_step.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// The units are dealt out in blocks of a vector; a part of the work is a run of blocks, taken some at a time. All rows
// pass a gate's weights while these are in the private cache: first the products, then the gate math of each row.
template <class S>
class StepJob {
  using C = Compute<S>;
  static constexpr int64_t kUnits = kLanes<C> < kDotColumns ? kDotColumns : kLanes<C>;
  // A tile's rows come from further away than its weights: they shall stay for several columns.
  static constexpr int64_t kTogether = kUnits < 32 ? 32 : kUnits;
  static constexpr int64_t kGates = kPanel * kTogether;

 public:
  StepJob(const LstmStep& params, int64_t threads, void* memory)
      : p_(params), blocks_((params.hidden + kUnits - 1) / kUnits), parts_(smaller(threads, blocks_)) {
    Workspace workspace(memory);
    place_ = workspace.take<int64_t>(p_.parents);
    state_rows_ = workspace.take<const Operand<S>*>(p_.rows);
    input_rows_ = workspace.take<const Operand<S>*>(p_.rows);
    states_ = workspace.take<Operand<S>>(p_.rows * row_stride<S>(p_.hidden));
    inputs_ = workspace.take<Operand<S>>(p_.rows * row_stride<S>(p_.inputs));
    products_ = workspace.take<C>(parts_ * 2 * p_.rows * kGates);
    bytes_ = workspace.used();
  }

  size_t workspace_bytes() const { return bytes_; }

  void run(const Parallel& parallel) {
    if (p_.rows == 0) return;
    find_parents();
    if (p_.input != nullptr) {
      for (int64_t n = 0; n < p_.rows; ++n) {
        const S* row = static_cast<const S*>(p_.input) + n * p_.inputs;
        input_rows_[n] = copy_operand<S>(row, p_.inputs, inputs_ + n * row_stride<S>(p_.inputs));
      }
    }
    parallel.run(
        parts_,
        [](int64_t begin, int64_t end, void* context) {
          for (int64_t part = begin; part < end; ++part) static_cast<StepJob*>(context)->run_part(part);
        },
        this);
  }

 private:
  // Lists each parent that has children once: siblings share its product.
  void find_parents() {
    for (int64_t m = 0; m < p_.parents; ++m) place_[m] = -1;
    distinct_ = 0;
    for (int64_t n = 0; n < p_.rows; ++n) {
      const int64_t parent = p_.parent[n];
      if (parent < 0 || place_[parent] >= 0) continue;
      const S* row = static_cast<const S*>(p_.h) + parent * p_.hidden;
      state_rows_[distinct_] = copy_operand<S>(row, p_.hidden, states_ + distinct_ * row_stride<S>(p_.hidden));
      place_[parent] = distinct_++;
    }
  }

  void run_part(int64_t part) {
    C* recurrent = products_ + part * 2 * p_.rows * kGates;
    C* entering = recurrent + p_.rows * kGates;
    const int64_t end = smaller(blocks_ * (part + 1) / parts_ * kUnits, p_.hidden);
    for (int64_t unit = blocks_ * part / parts_ * kUnits; unit < end; unit += kTogether) {
      const int64_t count = smaller(kTogether, end - unit);
      const S* recurrent_weight = weight_of(p_.weight_hh, unit, p_.hidden);
      const S* next = recurrent_weight + count * p_.hidden;
      if (p_.input == nullptr) {
        multiply(state_rows_, distinct_, recurrent_weight, p_.hidden, count, recurrent, next);
      } else {
        const S* entering_weight = weight_of(p_.weight_ih, unit, p_.inputs);
        multiply(state_rows_, distinct_, recurrent_weight, p_.hidden, count, recurrent, entering_weight);
        multiply(input_rows_, p_.rows, entering_weight, p_.inputs, count, entering, next);
      }
      for (int64_t n = 0; n < p_.rows; ++n) {
        for (int64_t v = 0; v < count; v += kLanes<C>) {
          finish(n, unit + v, count - v, recurrent + v, entering + n * kGates + v);
        }
      }
    }
  }

  static const S* weight_of(const void* matrix, int64_t unit, int64_t depth) {
    return static_cast<const S*>(matrix) + unit * depth;
  }

  // All gates of `count` units, of which `weight` is the first one's row.
  void multiply(const Operand<S>* const* rows, int64_t places, const S* weight, int64_t depth, int64_t count,
                C* products, const S* after) const {
    for (int gate = 0; gate < kPanel; ++gate) {
      const S* block = weight + gate * p_.hidden * depth;
      const S* next = gate + 1 < kPanel ? block + p_.hidden * depth : after;
      dot_block<S>(rows, places, block, depth, count, products + gate * kTogether, kGates, next);
    }
  }

  void finish(int64_t n, int64_t unit, int64_t count, const C* recurrent, const C* entering) {
    const int64_t parent = p_.parent[n];
    Vec<C> sum[kPanel] = {};
    const auto add = [&](const void* matrix, const int64_t* index) {
      if (matrix == nullptr) return;
      const S* gates = static_cast<const S*>(matrix) + index[n] * 4 * p_.hidden + unit;
      for (int q = 0; q < kPanel; ++q) sum[q] += load(gates + q * p_.hidden, count);
    };
    Vec<C> previous{};
    if (parent >= 0) {
      const C* product = recurrent + place_[parent] * kGates;
      for (int q = 0; q < kPanel; ++q) sum[q] = load(product + q * kTogether);
      previous = load(static_cast<const S*>(p_.c) + parent * p_.hidden + unit, count);
    }
    if (p_.input != nullptr) {
      for (int q = 0; q < kPanel; ++q) sum[q] += load(entering + q * kTogether);
    }
    add(p_.table, p_.word);
    add(p_.static_gates, p_.image);
    const Vec<C> c = sigmoid<C>(sum[1]) * previous + sigmoid<C>(sum[0]) * tanh<C>(sum[2]);
    const Vec<C> h = sigmoid<C>(sum[3]) * tanh<C>(c);
    store(static_cast<S*>(p_.c_n) + n * p_.hidden + unit, c, count);
    store(static_cast<S*>(p_.h_n) + n * p_.hidden + unit, h, count);
  }

  const LstmStep& p_;
  const int64_t blocks_;
  const int64_t parts_;
  int64_t* place_;                 // (M,) of each parent in state_rows_, -1 where it has no children
  const Operand<S>** state_rows_;  // (distinct_,)
  const Operand<S>** input_rows_;  // (N,)
  Operand<S>* states_;             // (N, H) copies
  Operand<S>* inputs_;             // (N, I) copies
  C* products_;                    // (parts, 2, N, kGates)
  int64_t distinct_ = 0;
  size_t bytes_;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
