#pragma once

#ifndef __CUDACC__
#include <primitives/dependency.h>
#else

// Launches of one stream that overlap (LaunchShape::overlaps_previous). Before sm_90 they never do.

namespace lrcn_fast::cuda {

// Until the launches before have ended and what they wrote is visible. A kernel that overlaps calls it before
// it touches what another launch writes or reads.
__device__ __forceinline__ void wait_for_previous_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Once all blocks have called it or ended, the next launch may begin, if it overlaps.
__device__ __forceinline__ void let_next_launch_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace lrcn_fast::cuda

#endif
