#pragma once

#include <algorithm>
#include <cstdint>

#include "lrcn_fast/types.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/numbers.h"

// Pointwise kernels over (B, H): one thread per (row, hidden unit), neighbours in a warp are neighbours in memory.

namespace lrcn_fast::cuda {

template <class Params>
struct OverRows {
  Params params;
  unsigned units;  // hidden units of a block, a multiple of 32; its further threads take further rows

  __device__ std::int64_t unit() const { return static_cast<std::int64_t>(block_x()) * units + thread_index() % units; }
  // Blocks along y stride over the rows, because there are at most 65535 of them.
  __device__ std::int64_t first_row() const {
    return static_cast<std::int64_t>(block_y()) * rows() + thread_index() / units;
  }
  __device__ std::int64_t row_step() const { return static_cast<std::int64_t>(blocks_y()) * rows(); }

 private:
  __device__ unsigned rows() const { return thread_count() / units; }
};

// Launches `kernel_for(element)` for params.dtype. `kernel_for` takes a value of the element type, of which only
// the type counts, and returns a __global__ function over OverRows<Params>.
template <class Params, class KernelFor>
Status launch_over_rows(const Params& params, void* stream, KernelFor kernel_for) {
  constexpr std::int64_t kThreads = 256, kWarp = 32, kMaxRowBlocks = 65535, kMaxUnitBlocks = 0x7fffffff;
  if (params.batch < 0 || params.hidden < 0) return Status::kInvalidSize;
  if (params.batch == 0 || params.hidden == 0) return Status::kOk;

  const std::int64_t units = std::min(kThreads, (params.hidden + kWarp - 1) / kWarp * kWarp);
  const std::int64_t rows = kThreads / units;
  const std::int64_t unit_blocks = (params.hidden + units - 1) / units;
  if (unit_blocks > kMaxUnitBlocks) return Status::kInvalidSize;

  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(unit_blocks);
  shape.blocks_y = static_cast<unsigned>(std::min(kMaxRowBlocks, (params.batch + rows - 1) / rows));
  shape.threads = static_cast<unsigned>(units * rows);
  const OverRows<Params> over = {params, static_cast<unsigned>(units)};
  switch (params.dtype) {
    case DType::kFloat32:
      return launch(kernel_for(float{}), shape, over, stream);
    case DType::kFloat64:
      return launch(kernel_for(double{}), shape, over, stream);
    case DType::kFloat16:
      return launch(kernel_for(half_t{}), shape, over, stream);
    case DType::kBFloat16:
      return launch(kernel_for(bfloat16_t{}), shape, over, stream);
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
