#pragma once

#include <algorithm>
#include <cstddef>
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

template <class Call, class Args>
Call call_of(const Args* scans, int count) {
  Call call{};
  std::copy_n(scans, count, call.scans);
  return call;
}

template <class Shape, class Call, class Args>
Status launch_clusters(void (*kernel)(Call), const Args* scans, int count, bool& fitted, void* stream) {
  const std::int64_t slices = (scans[0].shape.batch + Shape::kRows - 1) / Shape::kRows;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(slices * Shape::kBlocks);
  shape.blocks_y = static_cast<unsigned>(count);
  shape.threads = Shape::Product::kThreads;
  shape.shared_bytes = Shape::kSharedBytes;
  shape.cluster = Shape::kBlocks;
  fitted = scans[0].shape.hidden <= Shape::kHidden &&
           slices <= std::numeric_limits<std::int32_t>::max() / static_cast<std::int64_t>(Shape::kBlocks);
  if (!fitted) return Status::kOk;
  Launcher<Call> launcher(kernel, shape);
  fitted = launcher.fits();
  return fitted ? launcher(call_of<Call>(scans, count), false, stream) : Status::kOk;
}

inline bool is_aligned(const void* address) { return reinterpret_cast<std::uintptr_t>(address) % 16 == 0; }
inline const void* exchanged(const LstmForward& args) { return args.output; }
inline const void* exchanged(const LstmBackward& args) { return args.grad_gates; }

// Makes a scan ready for a grid: what its blocks write for each other is absent, and initial states lie in words.
inline Status prepare(LstmForward& args, void* stream) {
  const GridWorkspace workspace(args.shape, 1);
  if (args.h0 != nullptr && !(workspace.in_place && is_aligned(args.h0))) {
    void* rows = static_cast<char*>(args.workspace) + workspace.exchange_bytes();
    Status status = fill(rows, 0, workspace.states_bytes, stream);
    if (status == Status::kOk) {
      status = copy_rows(rows, workspace.row_bytes, args.h0,
                         static_cast<std::size_t>(args.shape.hidden * size_of(args.shape.dtype)),
                         static_cast<std::size_t>(args.shape.batch), stream);
    }
    if (status != Status::kOk) return status;
    args.h0 = rows;
  }
  if (workspace.in_place) args.workspace = args.output;
  return fill(args.workspace, kAbsent, workspace.frames_bytes, stream);
}
inline Status prepare(LstmBackward& args, void* stream) {
  const GridWorkspace workspace(args.shape, 4);
  if (workspace.in_place) args.workspace = args.grad_gates;
  return fill(args.workspace, kAbsent, workspace.frames_bytes, stream);
}

template <class Shape, class Call, class Args>
Status launch_grid(void (*kernel)(Call), const Args* scans, int count, bool& fitted, void* stream) {
  const LstmShape& first = scans[0].shape;
  const std::int64_t units = static_cast<std::int64_t>(Shape::kUnits) * Shape::kCluster;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>((first.hidden + units - 1) / units) * Shape::kCluster;
  shape.blocks_y = static_cast<unsigned>(count);
  shape.threads = Shape::Product::kThreads;
  shape.shared_bytes = Shape::shared_bytes(first.batch);
  shape.cluster = Shape::kCluster;
  shape.all_at_once = true;
  fitted = first.hidden <= Shape::kHidden;
  for (int n = 0; n < count; ++n) {
    fitted = fitted && (!GridWorkspace(scans[n].shape, 1).in_place || is_aligned(exchanged(scans[n])));
  }
  if (!fitted) return Status::kOk;
  Launcher<Call> launcher(kernel, shape);
  fitted = launcher.fits();
  if (!fitted) return Status::kOk;
  Call call = call_of<Call>(scans, count);
  for (int n = 0; n < count; ++n) {
    const Status prepared = prepare(call.scans[n], stream);
    if (prepared != Status::kOk) return prepared;
  }
  return launcher(call, false, stream);
}

template <class P, int... kArguments>
Status cluster_forward(const LstmForward* scans, int count, bool& fitted, void* stream) {
  return launch_clusters<ClusterForwardShape<P, kArguments...>>(lstm_cluster_forward<P, kArguments...>, scans, count,
                                                                fitted, stream);
}

template <class P, int... kArguments>
Status cluster_backward(const LstmBackward* scans, int count, bool& fitted, void* stream) {
  return launch_clusters<ClusterBackwardShape<P, kArguments...>>(lstm_cluster_backward<P, kArguments...>, scans, count,
                                                                 fitted, stream);
}

template <class P, int... kArguments>
Status grid_forward(const LstmForward* scans, int count, bool& fitted, void* stream) {
  return launch_grid<GridForwardShape<P, kArguments...>>(lstm_grid_forward<P, kArguments...>, scans, count, fitted,
                                                         stream);
}

template <class P, int... kArguments>
Status grid_backward(const LstmBackward* scans, int count, bool& fitted, void* stream) {
  return launch_grid<GridBackwardShape<P, kArguments...>>(lstm_grid_backward<P, kArguments...>, scans, count, fitted,
                                                          stream);
}

#define LRCN_CLUSTER_FORWARD(...) cluster_forward<P, __VA_ARGS__>,
#define LRCN_CLUSTER_BACKWARD(...) cluster_backward<P, __VA_ARGS__>,
#define LRCN_GRID_FORWARD(...) grid_forward<P, __VA_ARGS__>,
#define LRCN_GRID_BACKWARD(...) grid_backward<P, __VA_ARGS__>,

// Runs a row of a list of lstm_variants.h.
template <class Args, std::size_t kCount>
Status run_variant(Status (*const (&launchers)[kCount])(const Args*, int, bool&, void*), const Args* scans, int count,
                   std::int32_t variant, bool& fitted, void* stream) {
  fitted = false;
  if (variant < 0 || static_cast<std::size_t>(variant) >= kCount) return Status::kInvalidSize;
  return launchers[variant](scans, count, fitted, stream);
}

template <class P>
Status run_persistent(const LstmForward* scans, int count, LstmChoice choice, bool& fitted, void* stream) {
  using Launcher = Status (*)(const LstmForward*, int, bool&, void*);
  if constexpr (sizeof(StorageOf<P>) == 2) {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_FORWARD_HALF(LRCN_CLUSTER_FORWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_FORWARD_HALF(LRCN_GRID_FORWARD)};
    if (choice.kernel == LstmKernel::kCluster)
      return run_variant(kCluster, scans, count, choice.variant, fitted, stream);
    return run_variant(kGrid, scans, count, choice.variant, fitted, stream);
  } else {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_FORWARD_TF32(LRCN_CLUSTER_FORWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_FORWARD_TF32(LRCN_GRID_FORWARD)};
    if (choice.kernel == LstmKernel::kCluster)
      return run_variant(kCluster, scans, count, choice.variant, fitted, stream);
    return run_variant(kGrid, scans, count, choice.variant, fitted, stream);
  }
}

template <class P>
Status run_persistent(const LstmBackward* scans, int count, LstmChoice choice, bool& fitted, void* stream) {
  using Launcher = Status (*)(const LstmBackward*, int, bool&, void*);
  if constexpr (sizeof(StorageOf<P>) == 2) {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_BACKWARD_HALF(LRCN_CLUSTER_BACKWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_BACKWARD_HALF(LRCN_GRID_BACKWARD)};
    if (choice.kernel == LstmKernel::kCluster)
      return run_variant(kCluster, scans, count, choice.variant, fitted, stream);
    return run_variant(kGrid, scans, count, choice.variant, fitted, stream);
  } else {
    static constexpr Launcher kCluster[] = {LRCN_CLUSTER_BACKWARD_TF32(LRCN_CLUSTER_BACKWARD)};
    static constexpr Launcher kGrid[] = {LRCN_GRID_BACKWARD_TF32(LRCN_GRID_BACKWARD)};
    if (choice.kernel == LstmKernel::kCluster)
      return run_variant(kCluster, scans, count, choice.variant, fitted, stream);
    return run_variant(kGrid, scans, count, choice.variant, fitted, stream);
  }
}

#undef LRCN_CLUSTER_FORWARD
#undef LRCN_CLUSTER_BACKWARD
#undef LRCN_GRID_FORWARD
#undef LRCN_GRID_BACKWARD

}  // namespace lrcn_fast::cuda
