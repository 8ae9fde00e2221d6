// The same exchange inside a thread-block cluster: every block writes its part of the state into the shared memory
// of all blocks, and each block waits on a barrier in its own shared memory that counts the bytes that came.
#include "common.cuh"
#include "primitives/cluster.h"
#include "primitives/mbarrier.h"

namespace {

namespace cuda = lrcn_fast::cuda;

constexpr int kThreads = 256, kSteps = 1000;

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

// try_wait sleeps for as long as the device likes, so that the time is what bounds it, about two seconds.
__device__ bool wait(cuda::Mbarrier* barrier, unsigned parity) {
  constexpr long long kMostClocks = 1ll << 32;
  const long long start = clock64();
  do {
    unsigned done;
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(cuda::shared_address(barrier)), "r"(parity)
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
  extern __shared__ cuda::Words4 slots[];  // (2, words)
  __shared__ cuda::Mbarrier barriers[2];
  const int words = bytes / 16;
  const unsigned rank = cuda::cluster_rank(), size = cuda::cluster_size();
  const int share = words / size, first = rank * share;
  if (threadIdx.x == 0) {
    for (cuda::Mbarrier& barrier : barriers) cuda::mbarrier_init(&barrier, 1);
    cuda::mbarrier_init_fence();
  }
  __syncthreads();
  cuda::cluster_barrier();
  unsigned bad = 0;
  bool good = true;
  for (int step = 0; step < steps && good; ++step) {
    const int slot = step & 1;
    cuda::Mbarrier* own = barriers + slot;
    if (threadIdx.x == 0) cuda::mbarrier_arrive_expect(own, bytes);
    for (unsigned item = threadIdx.x; item < share * size; item += kThreads) {
      const int word = first + item % share;
      const unsigned peer = item / share, value = value_of(word, step);
      cuda::store_async(slots + slot * words + word, peer, cuda::Words4{{value, value + 1, value + 2, value + 3}}, own);
    }
    good = wait(own, (step >> 1) & 1);
    for (int word = threadIdx.x; word < words && good; word += kThreads) {
      const cuda::Words4 whole = slots[slot * words + word];
      bad += whole.word[0] != value_of(word, step) || whole.word[3] != whole.word[0] + 3;
    }
    // A block writes the next step only after all its threads have read this one, so two slots are enough.
    good = !__syncthreads_or(!good);
  }
  if (bad != 0 || !good) atomicAdd(wrong, bad + !good);
  // Shared memory of a block must last until the others have written to it.
  cuda::cluster_barrier();
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
