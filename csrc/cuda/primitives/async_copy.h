#pragma once

#ifndef __CUDACC__
#include <primitives/async_copy.h>
#else

#include "primitives/cluster.h"
#include "primitives/mbarrier.h"
#include "primitives/shared.h"

// Copies that run on their own. The bulk copies need sm_90; sizes and addresses are multiples of 16 bytes.

namespace lrcn_fast::cuda {

// kBytes (4, 8 or 16) from global to shared memory, of which the first `bytes` are read and the rest are zeros.
// Nothing is read where `bytes` is 0, but the address is aligned even then.
template <unsigned kBytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, unsigned bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "4, 8 or 16 bytes");
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "n"(kBytes), "r"(bytes)
                 : "memory");
  }
}

// Ends a group of the thread's copies.
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until at most kPending of the thread's groups are on their way. For the thread itself: others need a barrier.
template <unsigned kPending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// By one thread. Counts the bytes at the barrier, which must expect them.
__device__ __forceinline__ void copy_bulk_to_shared(void* shared, const void* global, unsigned bytes,
                                                    Mbarrier* barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
#else
  __trap();
#endif
}

// From one's own shared memory at `from` to `to` in block `rank`, whose barrier counts the bytes. What threads
// wrote at `from` needs fence_async_copy() and a barrier before.
__device__ __forceinline__ void copy_bulk_to_peer(void* to, unsigned rank, const void* from, unsigned bytes,
                                                  Mbarrier* barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   peer_address(to, rank)),
               "r"(shared_address(from)), "r"(bytes), "r"(peer_address(barrier, rank))
               : "memory");
#else
  __trap();
#endif
}

// Needs fence_async_copy() and a barrier before, as copy_bulk_to_peer does.
__device__ __forceinline__ void copy_bulk_to_global(void* global, const void* shared, unsigned bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(global)),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
#else
  __trap();
#endif
}

__device__ __forceinline__ void copy_bulk_commit() {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
}

// Until at most kPending of the thread's groups to global memory are on their way.
template <unsigned kPending>
__device__ __forceinline__ void copy_bulk_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

// Shows what the thread wrote to shared memory to bulk copies.
__device__ __forceinline__ void fence_async_copy() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

}  // namespace lrcn_fast::cuda

#endif
