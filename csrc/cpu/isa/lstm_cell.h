#pragma once

#include "activation.h"
#include "lrcn_fast/lstm_cell.h"
#include "lrcn_fast/parallel.h"
#include "storage.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// One item of work is kUnitsPerItem units of one row.
inline constexpr int64_t kUnitsPerItem = 1024;

template <class Params>
struct CellJob {
  const Params& params;
  int64_t items_per_row = (params.hidden + kUnitsPerItem - 1) / kUnitsPerItem;

  template <class Visitor>
  void for_each_vector(int64_t begin, int64_t end, int64_t lanes, Visitor&& visit) const {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item / items_per_row;
      const int64_t first = item % items_per_row * kUnitsPerItem;
      const int64_t last = first + kUnitsPerItem < params.hidden ? first + kUnitsPerItem : params.hidden;
      for (int64_t unit = first; unit < last; unit += lanes) visit(row, unit, params.hidden - unit);
    }
  }
};

template <class S>
const S* at(const void* base, int64_t row, int64_t stride, int64_t unit) {
  return static_cast<const S*>(base) + row * stride + unit;
}

template <class S>
void cell_forward(int64_t begin, int64_t end, void* context) {
  using C = Compute<S>;
  const auto& job = *static_cast<CellJob<LstmCellForward>*>(context);
  const LstmCellForward& p = job.params;
  job.for_each_vector(begin, end, kLanes<C>, [&](int64_t row, int64_t unit, int64_t count) {
    const S* gates = at<S>(p.gates, row, p.gates_stride, unit);
    const Vec<C> i = sigmoid<C>(load(gates, count));
    const Vec<C> f = sigmoid<C>(load(gates + p.hidden, count));
    const Vec<C> g = tanh<C>(load(gates + 2 * p.hidden, count));
    const Vec<C> o = sigmoid<C>(load(gates + 3 * p.hidden, count));
    Vec<C> c = i * g;
    if (p.c0 != nullptr) c += f * load(at<S>(p.c0, row, p.c0_stride, unit), count);
    const int64_t index = row * p.hidden + unit;
    store(static_cast<S*>(p.h) + index, o * tanh<C>(c), count);
    store(static_cast<S*>(p.c) + index, c, count);
    S* activations = static_cast<S*>(p.activations) + row * 4 * p.hidden + unit;
    store(activations, i, count);
    store(activations + p.hidden, f, count);
    store(activations + 2 * p.hidden, g, count);
    store(activations + 3 * p.hidden, o, count);
  });
}

template <class S>
void cell_backward(int64_t begin, int64_t end, void* context) {
  using C = Compute<S>;
  const auto& job = *static_cast<CellJob<LstmCellBackward>*>(context);
  const LstmCellBackward& p = job.params;
  job.for_each_vector(begin, end, kLanes<C>, [&](int64_t row, int64_t unit, int64_t count) {
    const auto optional = [&](const void* base, int64_t stride) {
      return base == nullptr ? Vec<C>{} : load(at<S>(base, row, stride, unit), count);
    };
    const S* activations = at<S>(p.activations, row, p.activations_stride, unit);
    const Vec<C> i = load(activations, count);
    const Vec<C> f = load(activations + p.hidden, count);
    const Vec<C> g = load(activations + 2 * p.hidden, count);
    const Vec<C> o = load(activations + 3 * p.hidden, count);
    const Vec<C> tanh_c = tanh<C>(load(at<S>(p.c, row, p.c_stride, unit), count));
    const Vec<C> grad_h = optional(p.grad_h, p.grad_h_stride);
    const Vec<C> grad_c = optional(p.grad_c, p.grad_c_stride) + grad_h * o * (1 - tanh_c * tanh_c);
    const Vec<C> c0 = optional(p.c0, p.c0_stride);
    S* grad_gates = static_cast<S*>(p.grad_gates) + row * 4 * p.hidden + unit;
    store(grad_gates, grad_c * g * i * (1 - i), count);
    store(grad_gates + p.hidden, grad_c * c0 * f * (1 - f), count);
    store(grad_gates + 2 * p.hidden, grad_c * i * (1 - g * g), count);
    store(grad_gates + 3 * p.hidden, grad_h * tanh_c * o * (1 - o), count);
    store(static_cast<S*>(p.grad_c0) + row * p.hidden + unit, grad_c * f, count);
  });
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
