#pragma once

#ifndef __CUDACC__
#include <primitives/launch.h>
#else

#include <cuda_runtime.h>

#include <atomic>
#include <cstddef>

#include "launch_error.cuh"
#include "lrcn_fast/types.h"

// Host: starts kernels. Nothing here waits for the device, and all of it is legal while a stream is captured.

namespace lrcn_fast::cuda {

struct LaunchShape {
  unsigned blocks_x = 1, blocks_y = 1, blocks_z = 1, threads = 32;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;            // blocks along x that share a cluster; sm_90 and later
  bool overlaps_previous = false;  // may begin before the launch ahead of it has ended, see dependency.h
  bool all_at_once = false;        // refused unless all blocks can run at the same time: they may wait for each other
};

// Of the current device: 90 for sm_90; 0 where there is none.
inline int compute_capability() {
  constexpr int kDevices = 64;
  static std::atomic<int> known[kDevices];
  int device = 0, major = 0, minor = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return 0;
  if (device < kDevices && known[device] != 0) return known[device];
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess) return 0;
  if (cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) != cudaSuccess) return 0;
  if (device < kDevices) known[device] = 10 * major + minor;
  return 10 * major + minor;
}

// A launch as the runtime takes it.
struct LaunchConfig {
  cudaLaunchAttribute attributes[3] = {};
  cudaLaunchConfig_t config = {};

  LaunchConfig(const LaunchShape& shape, void* stream) {
    config.gridDim = dim3(shape.blocks_x, shape.blocks_y, shape.blocks_z);
    config.blockDim = dim3(shape.threads);
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = static_cast<cudaStream_t>(stream);
    config.attrs = attributes;
    if (shape.cluster > 1) {
      cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim.x = shape.cluster;
      attribute.val.clusterDim.y = 1;
      attribute.val.clusterDim.z = 1;
    }
    if (shape.overlaps_previous && compute_capability() >= 90) {
      cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
      attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
      attribute.val.programmaticStreamSerializationAllowed = 1;
    }
    if (shape.all_at_once) {
      cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
      attribute.id = cudaLaunchAttributeCooperative;
      attribute.val.cooperative = 1;
    }
  }
  LaunchConfig(const LaunchConfig&) = delete;
  LaunchConfig& operator=(const LaunchConfig&) = delete;
};

// Asks for what a kernel may not have unasked.
inline cudaError_t allow(const void* function, const LaunchShape& shape) {
  constexpr std::size_t kSharedWithoutAsking = 48 * 1024;
  constexpr unsigned kPortableCluster = 8;
  if (shape.cluster > 1 && compute_capability() < 90) return cudaErrorNotSupported;
  if (shape.shared_bytes > kSharedWithoutAsking) {
    const cudaError_t error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                   static_cast<int>(shape.shared_bytes));
    if (error != cudaSuccess) return error;
  }
  if (shape.cluster <= kPortableCluster) return cudaSuccess;
  return cudaFuncSetAttribute(function, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
}

template <class Params>
cudaError_t start(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  const void* function = reinterpret_cast<const void*>(kernel);
  const cudaError_t error = allow(function, shape);
  if (error != cudaSuccess) return error;
  const LaunchConfig launch(shape, stream);
  void* arguments[] = {const_cast<Params*>(&params)};
  return cudaLaunchKernelExC(&launch.config, function, arguments);
}

// The runtime remembers a refusal, and the next caller to ask would take it for its own.
inline void forget_error() { static_cast<void>(cudaGetLastError()); }

// Whether the current device can run all blocks at the same time, or of a launch with clusters one of them.
template <class Params>
bool fits(void (*kernel)(Params), const LaunchShape& shape) {
  const void* function = reinterpret_cast<const void*>(kernel);
  int device = 0, multiprocessors = 0, blocks = 0, clusters = 0;
  bool known = allow(function, shape) == cudaSuccess && cudaGetDevice(&device) == cudaSuccess;
  if (shape.cluster > 1) {
    const LaunchConfig launch(shape, nullptr);
    known = known && cudaOccupancyMaxActiveClusters(&clusters, function, &launch.config) == cudaSuccess;
    if (!known) forget_error();
    return known && clusters > 0;
  }
  known = known && cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device) == cudaSuccess &&
          cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, static_cast<int>(shape.threads),
                                                        shape.shared_bytes) == cudaSuccess;
  if (!known) forget_error();
  const auto wanted = static_cast<unsigned long long>(shape.blocks_x) * shape.blocks_y * shape.blocks_z;
  return known && wanted <= static_cast<unsigned long long>(blocks) * static_cast<unsigned long long>(multiprocessors);
}

// Sets every byte of device memory, in the order of the stream.
inline Status fill(void* memory, int byte, std::size_t bytes, void* stream) {
  const cudaError_t error = cudaMemsetAsync(memory, byte, bytes, static_cast<cudaStream_t>(stream));
  if (error == cudaSuccess) return Status::kOk;
  forget_error();
  set_launch_error(error);
  return Status::kLaunchFailed;
}

template <class Params>
Status launch(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  const cudaError_t error = start(kernel, shape, params, stream);
  if (error == cudaSuccess) return Status::kOk;
  forget_error();
  set_launch_error(error);
  return Status::kLaunchFailed;
}

}  // namespace lrcn_fast::cuda

#endif
