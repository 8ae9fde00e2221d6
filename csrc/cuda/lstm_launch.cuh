#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "lstm_backward.cuh"
#include "lstm_forward.cuh"
#include "lstm_run.cuh"
#include "primitives/launch.h"

// The launches of a sequence, one after the other on the caller's stream. Nothing here waits for the device.

namespace lrcn_fast::cuda {

template <class Step>
struct TileKernel {
  void (*kernel)(Step);
  int rows, columns;  // of the block's tile: rows of the batch, columns of the result
  int operand_rows;   // rows of weights that it reads
  unsigned threads;
  std::size_t shared_bytes;

  std::int64_t blocks(std::int64_t batch, std::int64_t width) const {
    return (batch + rows - 1) / rows * ((width + columns - 1) / columns);
  }
  // What the busiest multiprocessor reads, in rows: a step is bound by what it draws from the L2 cache.
  std::int64_t cost(std::int64_t batch, std::int64_t width) const {
    const std::int64_t count = multiprocessors();
    const std::int64_t turns = (blocks(batch, width) + count - 1) / count;
    return turns * (std::min<std::int64_t>(rows, batch) + operand_rows);
  }
};

template <class P, int kRows, bool kVector>
TileKernel<ForwardStep> forward_kernel() {
  using StepTile = Tile<P, kRows, 4, kVector>;
  return {lstm_forward_step<P, kRows, kVector>, kRows * 16, 8, 32, StepTile::kThreads, StepTile::kSharedBytes};
}

template <class P, int kRows, int kColumns, bool kVector>
TileKernel<ForwardStep> project_kernel() {
  using StepTile = Tile<P, kRows, kColumns, kVector>;
  return {lstm_forward_project<P, kRows, kColumns, kVector>,
          kRows * 16,
          kColumns * 8,
          kColumns * 8,
          StepTile::kThreads,
          StepTile::kSharedBytes};
}

template <class P, int kRows, int kColumns, bool kVector>
TileKernel<BackwardStep> backward_kernel() {
  using StepTile = Tile<P, kRows, kColumns, kVector>;
  return {lstm_backward_step<P, kRows, kColumns, kVector>,
          kRows * 16,
          kColumns * 8,
          kColumns * 8,
          StepTile::kThreads,
          StepTile::kSharedBytes};
}

// The cheapest of several; the first of equals.
template <class Step>
class Cheapest {
 public:
  Cheapest(std::int64_t batch, std::int64_t width) : batch_(batch), width_(width) {}
  void consider(const TileKernel<Step>& candidate) {
    const std::int64_t cost = candidate.cost(batch_, width_);
    if (cost >= cost_) return;
    cost_ = cost;
    best_ = candidate;
  }
  const TileKernel<Step>& best() const { return best_; }

 private:
  std::int64_t batch_, width_, cost_ = std::numeric_limits<std::int64_t>::max();
  TileKernel<Step> best_{};
};

template <class P>
TileKernel<ForwardStep> choose_forward(std::int64_t batch, std::int64_t hidden, bool vector) {
  if (!vector) return forward_kernel<P, 1, false>();
  Cheapest<ForwardStep> kernels(batch, hidden);
  kernels.consider(forward_kernel<P, 1, true>());
  if constexpr (P::kMostRows >= 2) kernels.consider(forward_kernel<P, 2, true>());
  if constexpr (P::kMostRows >= 4) kernels.consider(forward_kernel<P, 4, true>());
  return kernels.best();
}

template <class P>
TileKernel<ForwardStep> choose_project(bool vector) {
  if (!vector) return project_kernel<P, 1, 1, false>();
  return project_kernel<P, 1, 2, true>();
}

template <class P>
TileKernel<BackwardStep> choose_backward(std::int64_t batch, std::int64_t width, bool vector) {
  if (!vector) return backward_kernel<P, 1, 1, false>();
  Cheapest<BackwardStep> kernels(batch, width);
  kernels.consider(backward_kernel<P, 1, 1, true>());
  if constexpr (P::kMostRows >= 2) kernels.consider(backward_kernel<P, 2, 2, true>());
  if constexpr (P::kMostRows >= 4) kernels.consider(backward_kernel<P, 4, 2, true>());
  return kernels.best();
}

// Whether rows of `width` elements from each of the addresses on begin and end at multiples of 16 bytes.
template <class T, class... Addresses>
bool rows_of_vectors(std::int64_t width, Addresses... addresses) {
  const std::uintptr_t all = (reinterpret_cast<std::uintptr_t>(addresses) | ...);
  return width * static_cast<std::int64_t>(sizeof(T)) % 16 == 0 && all % 16 == 0;
}

// The launches of one kernel in a sequence.
template <class Step>
class StepLaunches {
 public:
  StepLaunches(const TileKernel<Step>& kernel, std::int64_t batch, std::int64_t width)
      : fits_(kernel.blocks(batch, width) <= std::numeric_limits<std::int32_t>::max()),
        launcher_(kernel.kernel, shape_of(kernel, kernel.blocks(batch, width))) {}

  // follows: the launch before is of this sequence. No other may be overlapped: others do not say when their
  // results are there.
  Status operator()(const Step& step, bool follows, void* stream) {
    return fits_ ? launcher_(step, follows, stream) : Status::kInvalidSize;
  }

 private:
  static LaunchShape shape_of(const TileKernel<Step>& kernel, std::int64_t blocks) {
    LaunchShape shape;
    shape.blocks_x = static_cast<unsigned>(blocks);
    shape.threads = kernel.threads;
    shape.shared_bytes = kernel.shared_bytes;
    return shape;
  }

  bool fits_;
  Launcher<Step> launcher_;
};

template <class P>
Status run_forward(const LstmForward& args, void* stream) {
  using T = StorageOf<P>;
  const LstmShape& shape = args.shape;
  const bool projects = shape.weight_hr != nullptr;
  ForwardStep step{};
  step.args = args;
  step.cell = args.workspace;
  if (projects) step.unprojected = static_cast<char*>(args.workspace) + ForwardWorkspace(shape).cell_bytes;

  const bool vector = rows_of_vectors<T>(shape.projected, shape.weight_hh, args.h0, args.output);
  StepLaunches<ForwardStep> advance(choose_forward<P>(shape.batch, shape.hidden, vector), shape.batch, shape.hidden);
  std::optional<StepLaunches<ForwardStep>> project;
  if (projects) {
    project.emplace(choose_project<P>(rows_of_vectors<T>(shape.hidden, shape.weight_hr, step.unprojected)), shape.batch,
                    shape.projected);
  }
  for (std::int64_t n = 0; n < shape.steps; ++n) {
    step.t = shape.reverse ? shape.steps - 1 - n : n;
    step.first = n == 0;
    Status status = advance(step, n > 0, stream);
    if (status == Status::kOk && projects) status = (*project)(step, true, stream);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

template <class P>
Status run_backward(const LstmBackward& args, const TransposedWeights& weights, void* stream) {
  using T = StorageOf<P>;
  const LstmShape& shape = args.shape;
  const bool projects = weights.hr != nullptr;
  BackwardStep step{};
  step.args = args;
  step.weight_hh_transposed = weights.hh;
  step.weight_hr_transposed = weights.hr;
  step.grad_cell = args.workspace;

  StepLaunches<BackwardStep> retreat(
      choose_backward<P>(shape.batch, shape.projected,
                         rows_of_vectors<T>(4 * shape.hidden, weights.hh, args.grad_gates)),
      shape.batch, shape.projected);
  std::optional<StepLaunches<BackwardStep>> unproject;
  if (projects) {
    const bool vector = rows_of_vectors<T>(shape.projected, weights.hr, args.grad_hidden);
    unproject.emplace(choose_backward<P>(shape.batch, shape.hidden, vector), shape.batch, shape.hidden);
  }
  for (std::int64_t n = 0; n < shape.steps; ++n) {
    step.t = shape.reverse ? n : shape.steps - 1 - n;
    step.first = n == 0;
    step.target = projects ? BackwardStep::kState : BackwardStep::kUnits;
    Status status = retreat(step, n > 0, stream);
    step.target = BackwardStep::kProjected;
    if (status == Status::kOk && projects) status = (*unproject)(step, true, stream);
    if (status != Status::kOk) return status;
  }
  step.t = 0;
  step.target = BackwardStep::kInitial;
  return retreat(step, true, stream);
}

}  // namespace lrcn_fast::cuda
