#pragma once

#ifndef __CUDACC__
#include <primitives/mbarrier.h>
#else

#include <cstdint>

#include "primitives/cluster.h"
#include "primitives/shared.h"

// Barriers in shared memory. A phase ends when `count` arrivals and all expected bytes have come; the first
// phase has parity 0. Those that name a rank, and those with bytes, need sm_90.

namespace lrcn_fast::cuda {

struct alignas(8) Mbarrier {
  std::uint64_t state;
};

// By one thread. Then mbarrier_init_fence() and a barrier of all who use it: of the block, or of the cluster.
__device__ __forceinline__ void mbarrier_init(Mbarrier* barrier, unsigned count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
}

__device__ __forceinline__ void mbarrier_init_fence() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* barrier) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(shared_address(barrier))
               : "memory");
}

// The running phase waits for `bytes` more.
__device__ __forceinline__ void mbarrier_expect(Mbarrier* barrier, unsigned bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
#else
  __trap();
#endif
}

__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier* barrier, unsigned bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
#else
  __trap();
#endif
}

// At the barrier of block `rank`. What this thread wrote before, there too, is visible to who waits there
// with mbarrier_wait_cluster.
__device__ __forceinline__ void mbarrier_arrive_peer(Mbarrier* barrier, unsigned rank) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(peer_address(barrier, rank))
               : "memory");
#else
  __trap();
#endif
}

// Until the phase of this parity has ended. Shows what threads of the same block wrote before they arrived.
__device__ __forceinline__ void mbarrier_wait(Mbarrier* barrier, unsigned parity) {
  unsigned done = 0;
  while (done == 0) {
    asm volatile(
#if __CUDA_ARCH__ >= 900
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
#else
        "{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
#endif
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
}

// The same for what peers wrote and what store_async and copy_bulk_to_peer brought.
__device__ __forceinline__ void mbarrier_wait_cluster(Mbarrier* barrier, unsigned parity) {
#if __CUDA_ARCH__ >= 900
  unsigned done = 0;
  while (done == 0) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; "
        "selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
#else
  mbarrier_wait(barrier, parity);
#endif
}

// Writes to `p` in block `rank` and counts sizeof(T) bytes at the barrier there once they have come.
template <class T>
__device__ __forceinline__ void store_async(T* p, unsigned rank, T value, Mbarrier* barrier) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 900
  const unsigned address = peer_address(p, rank), signal = peer_address(barrier, rank);
  const Word<T> word = bits_as<Word<T> >(value);
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(address),
                 "r"(word), "r"(signal)
                 : "memory");
  } else if constexpr (sizeof(T) == 8) {
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, [%3];" ::"r"(address),
        "r"(word.x), "r"(word.y), "r"(signal)
        : "memory");
  } else {
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(
            address),
        "r"(word.x), "r"(word.y), "r"(word.z), "r"(word.w), "r"(signal)
        : "memory");
  }
#else
  __trap();
#endif
}

}  // namespace lrcn_fast::cuda

#endif
