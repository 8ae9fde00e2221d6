#pragma once

#include "lstm_unit.cuh"
#include "tile.cuh"

// One step of the recurrence in one launch: the product of the previous states with W_hh, gate math and
// state. A block owns 8 hidden units, the four gates of each, and a slice of the batch: the tile of its sums has
// one column of eight for each gate, so that gate math finds all it needs in the block.

namespace lrcn_fast::cuda {

struct ForwardStep {
  LstmForward args;
  std::int64_t t;
  bool first;         // the first launch of the scan, which also serves the rows that have no step
  void* cell;         // (B, H) of the type of sums: the carried cell state
  void* unprojected;  // (B, H), o * tanh(c); null without projection
};

// The rows of one block of the batch, and its eight columns.
template <int kRows>
struct BlockPlace {
  std::int64_t first_row;
  std::int64_t first_column;

  __device__ explicit BlockPlace(std::int64_t columns, int block_columns) {
    const std::int64_t tiles = (columns + block_columns - 1) / block_columns;
    const std::int64_t block = block_x();
    first_row = block / tiles * (kRows * 16);
    first_column = block % tiles * block_columns;
  }
};

template <class P, int kRows, bool kVector>
__global__ void __launch_bounds__(Tile<P, kRows, 4, kVector>::kThreads)
    lstm_forward_step(const __grid_constant__ ForwardStep step) {
  using T = StorageOf<P>;
  using Sum = SumOf<P>;
  using StepTile = Tile<P, kRows, 4, kVector>;
  const LstmForward& args = step.args;
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, width = shape.projected, t = step.t;
  const BlockPlace<kRows> place(hidden, 8);
  let_next_launch_begin();

  // Asked for before the product, so that they are there when it is done.
  UnitForward<T> units[StepTile::kItemsOfThread];
#pragma unroll
  for (int n = 0; n < StepTile::kItemsOfThread; ++n) {
    const int item = static_cast<int>(thread_index()) + n * static_cast<int>(StepTile::kThreads);
    const std::int64_t unit = place.first_column + item % 8;
    const RowStep row(shape, t, place.first_row + item / 8);
    if (item < StepTile::kItems && row.active && unit < hidden) units[n].load(args, t, row.b, unit, row.length);
  }

  StepTile tile;
  const auto state_row = [&](int m) -> const T* {
    const RowStep row(shape, t, place.first_row + m);
    if (!row.active) return nullptr;
    if (!row.begins) return static_cast<const T*>(args.output) + frame_of(shape, step_before(shape, t), row.b) * width;
    return args.h0 == nullptr ? nullptr : static_cast<const T*>(args.h0) + row.b * width;
  };
  const auto weight_row = [&](int gate, int j) -> const T* {
    const std::int64_t unit = place.first_column + j;
    return unit < hidden ? static_cast<const T*>(shape.weight_hh) + (gate * hidden + unit) * width : nullptr;
  };
  tile.multiply(width, state_row, weight_row);
  tile.share();

#pragma unroll
  for (int n = 0; n < StepTile::kItemsOfThread; ++n) {
    const int item = static_cast<int>(thread_index()) + n * static_cast<int>(StepTile::kThreads);
    const std::int64_t unit = place.first_column + item % 8;
    const RowStep row(shape, t, place.first_row + item / 8);
    if (item >= StepTile::kItems || row.b >= shape.batch || unit >= hidden) continue;
    const std::int64_t at = row.b * hidden + unit;
    const bool projects = step.unprojected != nullptr;
    if (step.first && row.length == 0) {
      store(static_cast<T*>(args.c_n) + at, element_or_zero<T>(args.c0, at));
      if (!projects) store(static_cast<T*>(args.h_n) + at, element_or_zero<T>(args.h0, at));
    }
    T h = to_storage<T>(Sum(0));
    if (row.active) {
      Sum* cell = static_cast<Sum*>(step.cell) + at;
      Sum c = row.begins ? to_real(element_or_zero<T>(args.c0, at)) : load(cell);
      const auto recurrent = [&](int q) { return StepTile::sum(item / 8, item % 8, q); };
      h = units[n].advance(args, t, row.b, unit, row.ends, recurrent, c);
      store(cell, c);
      if (row.ends && !projects) store(static_cast<T*>(args.h_n) + at, h);
    } else {
      units[n].save_zeros(args, t, row.b, unit);
    }
    if (projects) {
      store(static_cast<T*>(step.unprojected) + at, h);
    } else {
      store(static_cast<T*>(args.output) + frame_of(shape, t, row.b) * width + unit, h);
    }
  }
}

// The second launch of a step with projection: h = W_hr (o * tanh(c)).
template <class P, int kRows, int kColumns, bool kVector>
__global__ void __launch_bounds__(Tile<P, kRows, kColumns, kVector>::kThreads)
    lstm_forward_project(const __grid_constant__ ForwardStep step) {
  using T = StorageOf<P>;
  using StepTile = Tile<P, kRows, kColumns, kVector>;
  const LstmForward& args = step.args;
  const LstmShape& shape = args.shape;
  const std::int64_t hidden = shape.hidden, width = shape.projected;
  const BlockPlace<kRows> place(width, 8 * kColumns);
  let_next_launch_begin();

  StepTile tile;
  const auto state_row = [&](int m) -> const T* {
    const RowStep row(shape, step.t, place.first_row + m);
    return row.active ? static_cast<const T*>(step.unprojected) + row.b * hidden : nullptr;
  };
  const auto weight_row = [&](int n, int j) -> const T* {
    const std::int64_t column = place.first_column + n * 8 + j;
    return column < width ? static_cast<const T*>(shape.weight_hr) + column * hidden : nullptr;
  };
  tile.multiply(hidden, state_row, weight_row);
  tile.share();

  for (int item = static_cast<int>(thread_index()); item < StepTile::kItems * kColumns;
       item += static_cast<int>(StepTile::kThreads)) {
    const int r = item / (8 * kColumns), j = item % (8 * kColumns);
    const std::int64_t column = place.first_column + j;
    const RowStep row(shape, step.t, place.first_row + r);
    if (row.b >= shape.batch || column >= width) continue;
    const std::int64_t at = row.b * width + column;
    if (step.first && row.length == 0) store(static_cast<T*>(args.h_n) + at, element_or_zero<T>(args.h0, at));
    const T h = to_storage<T>(row.active ? StepTile::sum(r, j % 8, j / 8) : SumOf<P>(0));
    store(static_cast<T*>(args.output) + frame_of(shape, step.t, row.b) * width + column, h);
    if (row.active && row.ends) store(static_cast<T*>(args.h_n) + at, h);
  }
}

}  // namespace lrcn_fast::cuda
