// The same exchange inside a thread-block cluster: every block writes its part of the state into the shared memory
// of all blocks, and each block waits on a barrier in its own shared memory that counts the bytes that came.
#include "common.cuh"

namespace {

constexpr int kThreads = 256, kSteps = 1000;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

__device__ unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

__device__ unsigned rank_in_cluster() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ unsigned cluster_size() {
  unsigned size;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}

__device__ unsigned in_block(unsigned address, unsigned rank) {
  unsigned remote;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(rank));
  return remote;
}

__device__ void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// try_wait sleeps for as long as the device likes, so that the time is what bounds it, about two seconds.
__device__ bool wait(unsigned barrier, unsigned parity) {
  constexpr long long kMostClocks = 1ll << 32;
  const long long start = clock64();
  do {
    unsigned done;
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
    if (done) return true;
  } while (clock64() - start < kMostClocks);
  return false;
}

__device__ unsigned value_of(int word, int step) { return word * 2654435761u + step; }

#endif

// bytes: the state of one step, a multiple of 16 for every block.
__global__ void __launch_bounds__(kThreads) exchange(int bytes, int steps, unsigned* wrong) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
  extern __shared__ uint4 slots[];  // (2, words)
  __shared__ unsigned long long barriers[2];
  const int words = bytes / 16;
  const unsigned rank = rank_in_cluster(), size = cluster_size();
  const int share = words / size, first = rank * share;
  const unsigned barrier = shared_address(barriers), slot_address = shared_address(slots);
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i)
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier + 8 * i) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  cluster_sync();
  unsigned bad = 0;
  bool good = true;
  for (int step = 0; step < steps && good; ++step) {
    const int slot = step & 1;
    const unsigned own = barrier + 8 * slot;
    if (threadIdx.x == 0)
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(own), "r"(bytes) : "memory");
    for (unsigned item = threadIdx.x; item < share * size; item += kThreads) {
      const int word = first + item % share;
      const unsigned peer = item / share, value = value_of(word, step);
      const unsigned target = in_block(slot_address + 16 * (slot * words + word), peer);
      asm volatile(
          "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(
              target),
          "r"(value), "r"(value + 1), "r"(value + 2), "r"(value + 3), "r"(in_block(own, peer))
          : "memory");
    }
    good = wait(own, (step >> 1) & 1);
    for (int word = threadIdx.x; word < words && good; word += kThreads) {
      const uint4 whole = slots[slot * words + word];
      bad += whole.x != value_of(word, step) || whole.w != whole.x + 3;
    }
    // A block writes the next step only after all its threads have read this one, so two slots are enough.
    good = !__syncthreads_or(!good);
  }
  if (bad != 0 || !good) atomicAdd(wrong, bad + !good);
  // Shared memory of a block must last until the others have written to it.
  cluster_sync();
#endif
}

cudaLaunchConfig_t configuration(int size, int clusters, int shared, cudaLaunchAttribute* attribute) {
  attribute->id = cudaLaunchAttributeClusterDimension;
  attribute->val.clusterDim.x = size;
  attribute->val.clusterDim.y = attribute->val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(size * clusters);
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = shared;
  config.attrs = attribute;
  config.numAttrs = 1;
  return config;
}

int most_active(int size, int shared) {
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t config = configuration(size, 1, shared, &attribute);
  int clusters = 0;
  CHECK(cudaFuncSetAttribute(exchange, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  if (cudaOccupancyMaxActiveClusters(&clusters, exchange, &config) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return clusters;
}

void measure(int size, int clusters, int bytes) {
  unsigned* wrong_on_device;
  CHECK(cudaMalloc(&wrong_on_device, sizeof(unsigned)));
  CHECK(cudaMemset(wrong_on_device, 0, sizeof(unsigned)));
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t config = configuration(size, clusters, 2 * bytes, &attribute);
  probe::Timer timer(nullptr);
  const float ms = probe::median_ms([&] {
    timer.start();
    CHECK(cudaLaunchKernelEx(&config, exchange, bytes, kSteps, wrong_on_device));
    return timer.stop();
  });
  unsigned wrong = 0;
  CHECK(cudaMemcpy(&wrong, wrong_on_device, sizeof wrong, cudaMemcpyDeviceToHost));
  std::printf(
      "{\"probe\": \"exchange_cluster\", \"cluster_size\": %d, \"clusters\": %d, \"payload_bytes\": %d, "
      "\"us_per_step\": %.4f, \"wrong\": %u}\n",
      size, clusters, bytes, ms * 1e3 / kSteps, wrong);
  std::fflush(stdout);
  CHECK(cudaFree(wrong_on_device));
}

}  // namespace

int main() {
  const cudaDeviceProp properties = probe::device("exchange_cluster");
  if (properties.major < 9) {
    std::printf("{\"probe\": \"exchange_cluster\", \"skipped\": \"clusters need capability 9.0, this is %d.%d\"}\n",
                properties.major, properties.minor);
    return 0;
  }
  CHECK(cudaFuncSetAttribute(exchange, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  const int largest = static_cast<int>(properties.sharedMemPerBlockOptin) - 1024;
  for (const int size : {4, 8, 16})
    for (const int shared : {16 * 1024, 64 * 1024, 128 * 1024, largest})
      std::printf(
          "{\"probe\": \"most_active_clusters\", \"cluster_size\": %d, \"shared_bytes\": %d, \"clusters\": %d}\n", size,
          shared, most_active(size, shared));
  for (const int size : {4, 8, 16})
    for (const int kilobytes : {2, 8, 32, 64}) {
      const int most = most_active(size, 2 * kilobytes * 1024);
      if (most == 0) continue;
      measure(size, 1, kilobytes * 1024);
      if (most > 1) measure(size, most, kilobytes * 1024);
    }
  return 0;
}
