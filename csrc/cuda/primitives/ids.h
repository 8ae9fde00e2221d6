#pragma once

#ifndef __CUDACC__
#include <primitives/ids.h>
#else

// Where a thread stands in its launch. Blocks are one-dimensional in threads.

namespace lrcn_fast::cuda {

__device__ __forceinline__ unsigned thread_index() { return threadIdx.x; }
__device__ __forceinline__ unsigned thread_count() { return blockDim.x; }
__device__ __forceinline__ unsigned lane() { return threadIdx.x % 32; }
__device__ __forceinline__ unsigned warp() { return threadIdx.x / 32; }

__device__ __forceinline__ unsigned block_x() { return blockIdx.x; }
__device__ __forceinline__ unsigned block_y() { return blockIdx.y; }
__device__ __forceinline__ unsigned block_z() { return blockIdx.z; }
__device__ __forceinline__ unsigned blocks_x() { return gridDim.x; }
__device__ __forceinline__ unsigned blocks_y() { return gridDim.y; }
__device__ __forceinline__ unsigned blocks_z() { return gridDim.z; }

}  // namespace lrcn_fast::cuda

#endif
