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

template <class Params>
cudaError_t start(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  constexpr std::size_t kSharedWithoutAsking = 48 * 1024;
  constexpr unsigned kPortableCluster = 8;
  const void* function = reinterpret_cast<const void*>(kernel);
  const bool has_clusters = (shape.cluster > 1 || shape.overlaps_previous) && compute_capability() >= 90;
  if (shape.cluster > 1 && !has_clusters) return cudaErrorNotSupported;

  if (shape.shared_bytes > kSharedWithoutAsking) {
    const cudaError_t error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                   static_cast<int>(shape.shared_bytes));
    if (error != cudaSuccess) return error;
  }
  if (shape.cluster > kPortableCluster) {
    const cudaError_t error = cudaFuncSetAttribute(function, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
    if (error != cudaSuccess) return error;
  }

  cudaLaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (shape.cluster > 1) {
    cudaLaunchAttribute& attribute = attributes[count++];
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = shape.cluster;
    attribute.val.clusterDim.y = 1;
    attribute.val.clusterDim.z = 1;
  }
  if (shape.overlaps_previous && has_clusters) {
    cudaLaunchAttribute& attribute = attributes[count++];
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.blocks_x, shape.blocks_y, shape.blocks_z);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  config.attrs = attributes;
  config.numAttrs = count;
  void* arguments[] = {const_cast<Params*>(&params)};
  return cudaLaunchKernelExC(&config, function, arguments);
}

template <class Params>
Status launch(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  const cudaError_t error = start(kernel, shape, params, stream);
  if (error == cudaSuccess) return Status::kOk;
  // The runtime remembers a refusal, and the next caller to ask would take it for its own.
  static_cast<void>(cudaGetLastError());
  set_launch_error(error);
  return Status::kLaunchFailed;
}

}  // namespace lrcn_fast::cuda

#endif
