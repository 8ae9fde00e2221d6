#pragma once

#include "lstm_forward.cuh"

// One step of the scan walked backwards in one launch: the product of the gate gradients of the step that
// follows with W_hh, and the gate gradients of the step itself. A block owns some columns of the state and a slice
// of the batch. W_hh comes transposed, so that both operands lie along the depth of the product.

namespace lrcn_fast::cuda {

struct BackwardStep {
  // What a launch computes. A step without projection is one launch (kUnits), with it two (kState, kProjected);
  // kInitial comes once, after the last step.
  enum Target : std::int32_t {
    kUnits,      // gate gradients of step t, from the gradient at its state
    kState,      // gradient at the projected state of step t
    kProjected,  // gate gradients of step t, from that
    kInitial,    // gradient at h0
  };

  LstmBackward args;
  const void* weight_hh_transposed;  // (P, 4H)
  const void* weight_hr_transposed;  // (H, P), null without projection
  std::int64_t t;
  bool first;  // the first launch that computes gate gradients, which also serves the rows that have no step
  Target target;
  void* grad_cell;  // (B, H) of the type of sums: the gradient handed back to the step before
};

// Gate gradients of one unit at one step. recurrent: the gradient at its h that the product has found; of_output:
// see UnitBackward.
template <class T, class Sum>
__device__ void unit_backward(const BackwardStep& step, const RowStep& row, std::int64_t unit, Sum recurrent,
                              bool of_output) {
  const LstmBackward& args = step.args;
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, at = row.b * hidden + unit, frame = frame_of(shape, row.t, row.b);
  T* grad_gates = static_cast<T*>(args.grad_gates) + frame * 4 * hidden + unit;
  if (step.first && row.length == 0) {
    store(static_cast<T*>(args.grad_c0) + at, element_or_zero<T>(args.grad_c_n, at));
  }
  if (!row.active) {
    for (int q = 0; q < 4; ++q) store(grad_gates + q * hidden, to_storage<T>(Sum(0)));
    return;
  }

  UnitBackward<T> of_unit;
  of_unit.load(args, row.t, row.b, unit, row.length, row.begins, row.ends, of_output);
  Sum* grad_cell = static_cast<Sum*>(step.grad_cell) + at;
  Sum grad_c = row.ends ? Sum(0) : load(grad_cell);
  Sum grads[4];
  of_unit.retreat(recurrent, grad_c, grads);
  for (int q = 0; q < 4; ++q) store_real(grad_gates + q * hidden, grads[q]);
  store(grad_cell, grad_c);
  if (row.begins) store_real(static_cast<T*>(args.grad_c0) + at, grad_c);
}

// What the step after handed back to the state of step t.
template <class Sum>
__device__ Sum handed_back(const LstmShape& shape, const RowStep& row, Sum sum) {
  if (!row.active || row.ends) return 0;
  return carried_into(shape, step_after(shape, row.t), row.b, row.length) ? sum : Sum(0);
}

// Gradient at the projected state of step t: that, and what the caller gave.
template <class T, class Sum>
__device__ Sum state_gradient(const LstmBackward& args, const RowStep& row, std::int64_t column, Sum sum) {
  Sum grad = handed_back(args.shape, row, sum);
  if (row.ends) grad += to_real(element_or_zero<T>(args.grad_h_n, row.b * args.shape.projected + column));
  if (args.grad_output != nullptr) {
    const std::int64_t offset = row.t * args.grad_output_step + row.b * args.grad_output_row + column;
    grad += to_real(load_constant(static_cast<const T*>(args.grad_output) + offset));
  }
  return grad;
}

template <class P, int kRows, int kColumns, bool kVector>
__global__ void __launch_bounds__(Tile<P, kRows, kColumns, kVector>::kThreads)
    lstm_backward_step(const __grid_constant__ BackwardStep step) {
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  using StepTile = Tile<P, kRows, kColumns, kVector>;
  const LstmBackward& args = step.args;
  const LstmShape& shape = args.shape;
  const bool projected = step.target == BackwardStep::kProjected, initial = step.target == BackwardStep::kInitial;
  const std::int64_t columns = projected ? shape.hidden : shape.projected;
  const std::int64_t depth = projected ? shape.projected : 4 * shape.hidden;
  const void* weights = projected ? step.weight_hr_transposed : step.weight_hh_transposed;
  const BlockPlace<kRows> place(columns, 8 * kColumns);
  let_next_launch_begin();

  StepTile tile;
  const auto state_row = [&](int m) -> const T* {
    const RowStep row(shape, step.t, place.first_row + m);
    if (projected) {
      return row.active ? static_cast<const T*>(args.grad_hidden) + frame_of(shape, step.t, row.b) * depth : nullptr;
    }
    std::int64_t source = step_after(shape, step.t);
    if (initial) {
      if (row.length == 0) return nullptr;
      source = shape.reverse ? row.length - 1 : 0;
    } else if (!row.active || row.ends) {
      return nullptr;
    }
    return static_cast<const T*>(args.grad_gates) + frame_of(shape, source, row.b) * depth;
  };
  const auto weight_row = [&](int n, int j) -> const T* {
    const std::int64_t column = place.first_column + n * 8 + j;
    return column < columns ? static_cast<const T*>(weights) + column * depth : nullptr;
  };
  tile.multiply(depth, state_row, weight_row);
  tile.share();

  for (int item = static_cast<int>(thread_index()); item < StepTile::kItems * kColumns;
       item += static_cast<int>(StepTile::kThreads)) {
    const int r = item / (8 * kColumns), j = item % (8 * kColumns);
    const std::int64_t column = place.first_column + j;
    const RowStep row(shape, step.t, place.first_row + r);
    if (row.b >= shape.batch || column >= columns) continue;
    const Sum sum = StepTile::sum(r, j % 8, j / 8);
    if (initial) {
      const std::int64_t at = row.b * shape.projected + column;
      const std::int64_t begin = shape.reverse ? row.length - 1 : 0;
      T grad = element_or_zero<T>(row.length == 0 ? args.grad_h_n : nullptr, at);
      if (row.length > 0 && carried_into(shape, begin, row.b, row.length)) grad = to_storage<T>(sum);
      store(static_cast<T*>(args.grad_h0) + at, grad);
    } else if (projected) {
      unit_backward<T>(step, row, column, sum, false);
    } else if (step.target == BackwardStep::kUnits) {
      unit_backward<T>(step, row, column, handed_back(shape, row, sum), true);
    } else {
      T* grad_hidden = static_cast<T*>(args.grad_hidden) + frame_of(shape, step.t, row.b) * shape.projected;
      store_real(grad_hidden + column, row.active ? state_gradient<T>(args, row, column, sum) : Sum(0));
    }
  }
}

}  // namespace lrcn_fast::cuda
