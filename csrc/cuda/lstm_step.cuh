#pragma once

#include "lrcn_fast/lstm_step.h"
#include "lstm_launch.cuh"

// The kernel of lstm_step.h: the tile of one step of the recurrence (lstm_forward.cuh), whose rows of states are those
// of each row's parent, and to which the product of the input is added.

namespace lrcn_fast::cuda {

template <class P, int kRows, bool kVector>
__global__ void __launch_bounds__(Tile<P, kRows, 4, kVector>::kThreads)
    lstm_search_step(const __grid_constant__ LstmStep p) {
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  using StepTile = Tile<P, kRows, 4, kVector>;
  const std::int64_t hidden = p.hidden;
  const BlockPlace<kRows> place(hidden, 8);

  StepTile tile;
  const auto weight_row = [&](const void* weight, std::int64_t depth, int gate, int j) -> const T* {
    const std::int64_t unit = place.first_column + j;
    return unit < hidden ? static_cast<const T*>(weight) + (gate * hidden + unit) * depth : nullptr;
  };
  tile.multiply(
      hidden,
      [&](int m) -> const T* {
        const std::int64_t n = place.first_row + m;
        const std::int64_t parent = n < p.rows ? load_constant(p.parent + n) : -1;
        return parent < 0 ? nullptr : static_cast<const T*>(p.h) + parent * hidden;
      },
      [&](int gate, int j) { return weight_row(p.weight_hh, hidden, gate, j); });
  if (p.input != nullptr) {
    tile.multiply(
        p.inputs,
        [&](int m) -> const T* {
          const std::int64_t n = place.first_row + m;
          return n < p.rows ? static_cast<const T*>(p.input) + n * p.inputs : nullptr;
        },
        [&](int gate, int j) { return weight_row(p.weight_ih, p.inputs, gate, j); });
  }
  tile.share();

  for (int item = static_cast<int>(thread_index()); item < StepTile::kItems;
       item += static_cast<int>(StepTile::kThreads)) {
    const std::int64_t n = place.first_row + item / 8, unit = place.first_column + item % 8;
    if (n >= p.rows || unit >= hidden) continue;
    Sum gates[4];
#pragma unroll
    for (int q = 0; q < 4; ++q) gates[q] = StepTile::sum(item / 8, item % 8, q);
    const auto add = [&](const void* matrix, const std::int64_t* index) {
      if (matrix == nullptr) return;
      const T* row = static_cast<const T*>(matrix) + load_constant(index + n) * 4 * hidden + unit;
#pragma unroll
      for (int q = 0; q < 4; ++q) gates[q] += to_real(load_constant(row + q * hidden));
    };
    add(p.table, p.word);
    add(p.static_gates, p.image);
    const std::int64_t parent = load_constant(p.parent + n);
    const Sum before = parent < 0 ? Sum(0) : load_real(static_cast<const T*>(p.c) + parent * hidden + unit);
    const Sum c = sigmoid(gates[1]) * before + sigmoid(gates[0]) * hyperbolic_tangent(gates[2]);
    store_real(static_cast<T*>(p.c_n) + n * hidden + unit, c);
    store_real(static_cast<T*>(p.h_n) + n * hidden + unit, sigmoid(gates[3]) * hyperbolic_tangent(c));
  }
}

template <class P, int kRows, bool kVector>
TileKernel<LstmStep> search_kernel() {
  using StepTile = Tile<P, kRows, 4, kVector>;
  return {lstm_search_step<P, kRows, kVector>, kRows * 16, 8, 32, StepTile::kThreads, StepTile::kSharedBytes};
}

template <class P>
Status run_lstm_step(const LstmStep& p, void* stream) {
  using T = StorageOf<P>;
  bool vector = rows_of_vectors<T>(p.hidden, p.h, p.weight_hh);
  if (p.input != nullptr) vector = vector && rows_of_vectors<T>(p.inputs, p.input, p.weight_ih);
  Cheapest<LstmStep> kernels(p.rows, p.hidden);
  if (vector) {
    kernels.consider(search_kernel<P, 1, true>());
    if constexpr (P::kMostRows >= 2) kernels.consider(search_kernel<P, 2, true>());
  } else {
    kernels.consider(search_kernel<P, 1, false>());
  }
  return StepLaunches<LstmStep>(kernels.best(), p.rows, p.hidden)(p, false, stream);
}

inline Status lstm_step(const LstmStep& params, void* stream) {
  if (params.rows < 0 || params.hidden < 1) return Status::kInvalidSize;
  if (params.rows == 0) return Status::kOk;
  switch (params.dtype) {
    case DType::kFloat32:
      return run_lstm_step<ScalarProducts<float>>(params, stream);
    case DType::kFloat64:
      return run_lstm_step<ScalarProducts<double>>(params, stream);
    case DType::kFloat16:
      return run_lstm_step<HalfProducts<half_t>>(params, stream);
    case DType::kBFloat16:
      return run_lstm_step<HalfProducts<bfloat16_t>>(params, stream);
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
