#pragma once

#include <cstddef>

#include "arriving.cuh"
#include "lrcn_fast/lstm.h"
#include "lrcn_fast/lstm_plan.h"
#include "products.cuh"

// The sequence for each arithmetic of products.cuh: defined in lstm_launch.cuh, compiled in lstm_ARITHMETIC.cu, one
// file each, so that they compile at the same time.

namespace lrcn_fast::cuda {

template <class P>
Status run_forward(const LstmForward& args, void* stream);
template <class P>
Status run_backward(const LstmBackward& args, const TransposedWeights& weights, void* stream);

// Up to kMostScans scans in one launch. Defined in lstm_persistent.cuh, compiled in lstm_persistent_ARITHMETIC.cu.
// fitted: whether the device can run it; if not, nothing was launched.
template <class P>
Status run_persistent(const LstmForward* scans, int count, LstmChoice choice, bool& fitted, void* stream);
template <class P>
Status run_persistent(const LstmBackward* scans, int count, LstmChoice choice, bool& fitted, void* stream);

// The cell state of a scan, then with a projection the states before it.
struct ForwardWorkspace {
  static constexpr std::size_t kAlignment = 256;
  std::size_t cell_bytes, unprojected_bytes;

  explicit ForwardWorkspace(const LstmShape& shape) {
    const std::size_t elements = static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(shape.hidden);
    const std::size_t sum_bytes = shape.dtype == DType::kFloat64 ? sizeof(double) : sizeof(float);
    cell_bytes = (elements * sum_bytes + kAlignment - 1) / kAlignment * kAlignment;
    unprojected_bytes = shape.weight_hr == nullptr ? 0 : elements * static_cast<std::size_t>(size_of(shape.dtype));
  }
};

// Of a grid: rows of words that its blocks exchange where the caller's rows are not made of words, and initial states.
struct GridWorkspace {
  bool in_place;  // the caller's rows are exchanged
  std::size_t row_bytes, states_bytes, frames_bytes;

  // values: that travel for a hidden unit at each step.
  GridWorkspace(const LstmShape& shape, std::int64_t values)
      : in_place(shape.hidden == in_eights(shape.hidden)),
        row_bytes(static_cast<std::size_t>(in_eights(shape.hidden) * size_of(shape.dtype))),
        states_bytes(static_cast<std::size_t>(shape.batch) * row_bytes),
        frames_bytes(static_cast<std::size_t>(shape.steps * values) * states_bytes) {}
  std::size_t exchange_bytes() const { return in_place ? 0 : frames_bytes; }
};

}  // namespace lrcn_fast::cuda
