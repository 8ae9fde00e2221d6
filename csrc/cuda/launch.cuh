#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "lrcn_fast/launch_error.h"
#include "lrcn_fast/types.h"

namespace lrcn_fast {

void set_launch_error(cudaError_t error);

inline Status launched() {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return Status::kOk;
  set_launch_error(error);
  return Status::kLaunchFailed;
}

// Rows of a (B, H) problem: blockIdx.x covers hidden units, blockIdx.y strides over rows, because a grid has
// at most 65535 blocks in y.
inline __device__ std::int64_t first_row() { return static_cast<std::int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; }
inline __device__ std::int64_t row_step() { return static_cast<std::int64_t>(gridDim.y) * blockDim.y; }

// Launches `kernel_for(element)` for params.dtype with one thread per (row, hidden unit). `kernel_for` takes a
// value of the element type, of which only the type counts, and returns a __global__ function over Params.
template <typename Params, typename KernelFor>
Status launch_over_rows(const Params& params, void* stream, KernelFor kernel_for) {
  constexpr std::int64_t kThreads = 256, kWarp = 32, kMaxRowBlocks = 65535, kMaxUnitBlocks = 0x7fffffff;
  if (params.batch < 0 || params.hidden < 0) return Status::kInvalidSize;
  if (params.batch == 0 || params.hidden == 0) return Status::kOk;

  const std::int64_t units = std::min(kThreads, (params.hidden + kWarp - 1) / kWarp * kWarp);
  const std::int64_t rows = kThreads / units;
  const std::int64_t unit_blocks = (params.hidden + units - 1) / units;
  if (unit_blocks > kMaxUnitBlocks) return Status::kInvalidSize;
  const std::int64_t row_blocks = std::min(kMaxRowBlocks, (params.batch + rows - 1) / rows);

  const dim3 block(static_cast<unsigned>(units), static_cast<unsigned>(rows));
  const dim3 grid(static_cast<unsigned>(unit_blocks), static_cast<unsigned>(row_blocks));
  const auto launch = [&](auto element) {
    kernel_for(element)<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(params);
    return launched();
  };
  switch (params.dtype) {
    case DType::kFloat32:
      return launch(float{});
    case DType::kFloat64:
      return launch(double{});
    case DType::kFloat16:
      return launch(__half{});
    case DType::kBFloat16:
      return launch(__nv_bfloat16{});
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast
