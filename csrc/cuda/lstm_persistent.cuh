#pragma once

#include <cstdint>
#include <limits>

#include "lrcn_fast/lstm_plan.h"
#include "lrcn_fast/lstm_variants.h"
#include "lstm_cluster_backward.cuh"
#include "lstm_cluster_forward.cuh"
#include "lstm_grid_backward.cuh"
#include "lstm_grid_forward.cuh"
#include "lstm_run.cuh"
#include "primitives/launch.h"

// The launches of the kernels that stay for a whole sequence. Each asks the device first whether it fits, and says no
// rather than wait for blocks that cannot run.

namespace lrcn_fast::cuda {

template <class Shape, class Call>
Status launch_clusters(void (*kernel)(Call), const Call& call, bool& fitted, void* stream) {
  const std::int64_t slices = (call.args.shape.batch + Shape::kRows - 1) / Shape::kRows;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(slices * Shape::kBlocks);
  shape.threads = Shape::Product::kThreads;
  shape.shared_bytes = Shape::kSharedBytes;
  shape.cluster = Shape::kBlocks;
  fitted = call.args.shape.hidden <= Shape::kHidden &&
           slices <= std::numeric_limits<std::int32_t>::max() / static_cast<std::int64_t>(Shape::kBlocks);
  if (!fitted) return Status::kOk;
  Launcher<Call> launcher(kernel, shape);
  fitted = launcher.fits();
  return fitted ? launcher(call, false, stream) : Status::kOk;
}

// `arriving` is what the blocks write for each other, `bytes` of it.
template <class Shape, class Call>
Status launch_grid(void (*kernel)(Call), const Call& call, void* arriving, std::size_t bytes, bool& fitted,
                   void* stream) {
  const std::int64_t hidden = call.args.shape.hidden;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>((hidden + Shape::kUnits - 1) / Shape::kUnits);
  shape.threads = Shape::Product::kThreads;
  shape.shared_bytes = Shape::shared_bytes(call.args.shape.batch);
  shape.all_at_once = true;
  // Eights of units leave together, in words of 16 bytes.
  fitted = hidden <= Shape::kHidden && hidden % 8 == 0 && reinterpret_cast<std::uintptr_t>(arriving) % 16 == 0;
  if (!fitted) return Status::kOk;
  Launcher<Call> launcher(kernel, shape);
  fitted = launcher.fits();
  if (!fitted) return Status::kOk;
  const Status filled = fill(arriving, kAbsent, bytes, stream);
  return filled == Status::kOk ? launcher(call, false, stream) : filled;
}

template <class P, int... kArguments>
Status cluster_forward(const LstmForward& args, bool& fitted, void* stream) {
  return launch_clusters<ClusterForwardShape<P, kArguments...>>(lstm_cluster_forward<P, kArguments...>,
                                                                ClusterForward{args}, fitted, stream);
}

template <class P, int... kArguments>
Status cluster_backward(const LstmBackward& args, bool& fitted, void* stream) {
  return launch_clusters<ClusterBackwardShape<P, kArguments...>>(lstm_cluster_backward<P, kArguments...>,
                                                                 ClusterBackward{args}, fitted, stream);
}

template <class P>
std::size_t frames_bytes(const LstmShape& shape, std::int64_t width) {
  return sizeof(StorageOf<P>) * static_cast<std::size_t>(shape.steps * shape.batch * width);
}

template <class P, int... kArguments>
Status grid_forward(const LstmForward& args, bool& fitted, void* stream) {
  // Initial states are read in the same words.
  fitted = reinterpret_cast<std::uintptr_t>(args.h0) % 16 == 0;
  if (!fitted) return Status::kOk;
  return launch_grid<GridForwardShape<P, kArguments...>>(lstm_grid_forward<P, kArguments...>, GridForward{args},
                                                         args.output, frames_bytes<P>(args.shape, args.shape.hidden),
                                                         fitted, stream);
}

template <class P, int... kArguments>
Status grid_backward(const LstmBackward& args, bool& fitted, void* stream) {
  return launch_grid<GridBackwardShape<P, kArguments...>>(
      lstm_grid_backward<P, kArguments...>, GridBackward{args}, args.grad_gates,
      frames_bytes<P>(args.shape, 4 * args.shape.hidden), fitted, stream);
}

#define LRCN_CLUSTER_FORWARD(...) cluster_forward<P, __VA_ARGS__>,
#define LRCN_CLUSTER_BACKWARD(...) cluster_backward<P, __VA_ARGS__>,
#define LRCN_GRID_FORWARD(...) grid_forward<P, __VA_ARGS__>,
#define LRCN_GRID_BACKWARD(...) grid_backward<P, __VA_ARGS__>,

// Runs a row of a list of lstm_variants.h.
template <class Args, std::size_t kCount>
Status run_variant(Status (*const (&launchers)[kCount])(const Args&, bool&, void*), const Args& args,
                   std::int32_t variant, bool& fitted, void* stream) {
  fitted = false;
  if (variant < 0 || static_cast<std::size_t>(variant) >= kCount) return Status::kInvalidSize;
  return launchers[variant](args, fitted, stream);
}

template <class P>
Status run_persistent(const LstmForward& args, const LstmPlan& plan, bool& fitted, void* stream) {
  using Launcher = Status (*)(const LstmForward&, bool&, void*);
  if constexpr (sizeof(StorageOf<P>) == 2) {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_FORWARD_HALF(LRCN_CLUSTER_FORWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_FORWARD_HALF(LRCN_GRID_FORWARD)};
    if (plan.kernel == LstmKernel::kCluster) return run_variant(kCluster, args, plan.variant, fitted, stream);
    return run_variant(kGrid, args, plan.variant, fitted, stream);
  } else {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_FORWARD_TF32(LRCN_CLUSTER_FORWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_FORWARD_TF32(LRCN_GRID_FORWARD)};
    if (plan.kernel == LstmKernel::kCluster) return run_variant(kCluster, args, plan.variant, fitted, stream);
    return run_variant(kGrid, args, plan.variant, fitted, stream);
  }
}

template <class P>
Status run_persistent(const LstmBackward& args, const LstmPlan& plan, bool& fitted, void* stream) {
  using Launcher = Status (*)(const LstmBackward&, bool&, void*);
  if constexpr (sizeof(StorageOf<P>) == 2) {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_BACKWARD_HALF(LRCN_CLUSTER_BACKWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_BACKWARD_HALF(LRCN_GRID_BACKWARD)};
    if (plan.kernel == LstmKernel::kCluster) return run_variant(kCluster, args, plan.variant, fitted, stream);
    return run_variant(kGrid, args, plan.variant, fitted, stream);
  } else {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_BACKWARD_TF32(LRCN_CLUSTER_BACKWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_BACKWARD_TF32(LRCN_GRID_BACKWARD)};
    if (plan.kernel == LstmKernel::kCluster) return run_variant(kCluster, args, plan.variant, fitted, stream);
    return run_variant(kGrid, args, plan.variant, fitted, stream);
  }
}

#undef LRCN_CLUSTER_FORWARD
#undef LRCN_CLUSTER_BACKWARD
#undef LRCN_GRID_FORWARD
#undef LRCN_GRID_BACKWARD

}  // namespace lrcn_fast::cuda
