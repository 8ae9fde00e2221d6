#pragma once

#ifndef __CUDACC__
#include <primitives/barrier.h>
#else

// Barriers order what came before, in shared and in global memory, for those who wait.

namespace lrcn_fast::cuda {

// Of all threads of the block.
__device__ __forceinline__ void block_barrier() { __syncthreads(); }

// Of all 32 lanes of the warp.
__device__ __forceinline__ void warp_barrier() { __syncwarp(); }

}  // namespace lrcn_fast::cuda

#endif
