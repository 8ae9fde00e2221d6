#include <cuda_runtime.h>

#include <mutex>

#include "lrcn_fast/gpu.h"

namespace lrcn_fast {
namespace {

// Stands for a block that leaves no room for another on its multiprocessor.
__global__ void fill_multiprocessor() {}

// Clusters of so many blocks that run at the same time; 0 where there is no such thing.
int clusters_of(unsigned blocks, int shared_bytes) {
  cudaLaunchAttribute size = {};
  size.id = cudaLaunchAttributeClusterDimension;
  size.val.clusterDim.x = blocks;
  size.val.clusterDim.y = size.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(32);
  config.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
  config.attrs = &size;
  config.numAttrs = 1;
  int clusters = 0;
  if (cudaFuncSetAttribute(fill_multiprocessor, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes) ==
          cudaSuccess &&
      cudaFuncSetAttribute(fill_multiprocessor, cudaFuncAttributeNonPortableClusterSizeAllowed, 1) == cudaSuccess &&
      cudaOccupancyMaxActiveClusters(&clusters, fill_multiprocessor, &config) == cudaSuccess) {
    return clusters;
  }
  static_cast<void>(cudaGetLastError());
  return 0;
}

bool ask_gpu(int device, GpuProperties* gpu) {
  int major = 0, minor = 0, clock_khz = 0;
  const auto ask = [device](int* value, cudaDeviceAttr attribute) {
    return cudaDeviceGetAttribute(value, attribute, device) == cudaSuccess;
  };
  int multiprocessors = 0, per_block = 0, per_multiprocessor = 0, registers = 0;
  if (!ask(&major, cudaDevAttrComputeCapabilityMajor) || !ask(&minor, cudaDevAttrComputeCapabilityMinor) ||
      !ask(&clock_khz, cudaDevAttrClockRate) || !ask(&multiprocessors, cudaDevAttrMultiProcessorCount) ||
      !ask(&per_block, cudaDevAttrMaxSharedMemoryPerBlockOptin) ||
      !ask(&per_multiprocessor, cudaDevAttrMaxSharedMemoryPerMultiprocessor) ||
      !ask(&registers, cudaDevAttrMaxRegistersPerMultiprocessor)) {
    static_cast<void>(cudaGetLastError());
    return false;
  }
  gpu->capability = 10 * major + minor;
  gpu->multiprocessors = multiprocessors;
  gpu->shared_bytes_per_block = per_block;
  gpu->shared_bytes_per_multiprocessor = per_multiprocessor;
  gpu->registers_per_multiprocessor = registers;
  gpu->clock_mhz = clock_khz / 1000;
  if (major < 9) return true;
  gpu->clusters_of_2 = clusters_of(2, per_block);
  gpu->clusters_of_4 = clusters_of(4, per_block);
  gpu->clusters_of_8 = clusters_of(8, per_block);
  gpu->clusters_of_16 = clusters_of(16, per_block);
  return true;
}

}  // namespace

bool present_gpu(GpuProperties* gpu) {
  constexpr int kDevices = 64;
  static std::mutex mutex;
  static GpuProperties known[kDevices];
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return false;
  }
  *gpu = {};
  if (device >= kDevices) return ask_gpu(device, gpu);
  const std::lock_guard<std::mutex> lock(mutex);
  if (known[device].capability == 0 && !ask_gpu(device, &known[device])) {
    known[device] = {};
    return false;
  }
  *gpu = known[device];
  return true;
}

}  // namespace lrcn_fast
