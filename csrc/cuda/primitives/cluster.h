#pragma once

#ifndef __CUDACC__
#include <primitives/cluster.h>
#else

#include "primitives/shared.h"

// A cluster: blocks that run at the same time and reach each other's shared memory. sm_90 and later; a launch
// without clusters is made of clusters of one block, and so is every launch before sm_90.

namespace lrcn_fast::cuda {

// Whether the architecture that is compiled for has clusters.
__device__ constexpr bool has_clusters() {
#if __CUDA_ARCH__ >= 900
  return true;
#else
  return false;
#endif
}

__device__ __forceinline__ unsigned cluster_rank() {
  unsigned rank = 0;
#if __CUDA_ARCH__ >= 900
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return rank;
}

__device__ __forceinline__ unsigned cluster_size() {
  unsigned size = 1;
#if __CUDA_ARCH__ >= 900
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
#endif
  return size;
}

// Of all threads of the cluster. What came before the arrival is visible after the wait. Every thread arrives
// and waits in turns. No block may end while a peer still reaches into its shared memory.
__device__ __forceinline__ void cluster_arrive() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}

__device__ __forceinline__ void cluster_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#else
  __syncthreads();
#endif
}

__device__ __forceinline__ void cluster_barrier() {
  cluster_arrive();
  cluster_wait();
}

// The place in the shared memory of block `rank` that `p` is in one's own.
__device__ __forceinline__ unsigned peer_address(const void* p, unsigned rank) {
#if __CUDA_ARCH__ >= 900
  unsigned address;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(shared_address(p)), "r"(rank));
  return address;
#else
  __trap();
  return 0;
#endif
}

template <class T>
__device__ __forceinline__ T load_peer(const T* p, unsigned rank) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
  Word<T> value = {};
#if __CUDA_ARCH__ >= 900
  const unsigned address = peer_address(p, rank);
  if constexpr (sizeof(T) == 4) {
    asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
  } else if constexpr (sizeof(T) == 8) {
    asm volatile("ld.shared::cluster.v2.u32 {%0, %1}, [%2];" : "=r"(value.x), "=r"(value.y) : "r"(address) : "memory");
  } else {
    asm volatile("ld.shared::cluster.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "r"(address)
                 : "memory");
  }
#else
  __trap();
#endif
  return bits_as<T>(value);
}

template <class T>
__device__ __forceinline__ void store_peer(T* p, unsigned rank, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 900
  const unsigned address = peer_address(p, rank);
  const Word<T> word = bits_as<Word<T> >(value);
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(word) : "memory");
  } else if constexpr (sizeof(T) == 8) {
    asm volatile("st.shared::cluster.v2.u32 [%0], {%1, %2};" ::"r"(address), "r"(word.x), "r"(word.y) : "memory");
  } else {
    asm volatile("st.shared::cluster.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(word.x), "r"(word.y),
                 "r"(word.z), "r"(word.w)
                 : "memory");
  }
#else
  __trap();
#endif
}

}  // namespace lrcn_fast::cuda

#endif
