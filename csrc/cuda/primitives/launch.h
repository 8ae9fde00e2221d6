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

// Multiprocessors of the current device; 1 where there is none.
inline int multiprocessors() {
  constexpr int kDevices = 64;
  static int known[kDevices];
  int device = 0, count = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return 1;
  if (device < kDevices && known[device] != 0) return known[device];
  if (cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) return 1;
  if (device < kDevices) known[device] = count;
  return count;
}

// The runtime remembers a refusal, and the next caller to ask would take it for its own.
inline void forget_error() { static_cast<void>(cudaGetLastError()); }

inline Status status_of(cudaError_t error) {
  if (error == cudaSuccess) return Status::kOk;
  forget_error();
  set_launch_error(error);
  return Status::kLaunchFailed;
}

// A kernel made ready for the current device: what a launch has to ask the runtime is asked once for many.
template <class Params>
class Launcher {
 public:
  Launcher(void (*kernel)(Params), const LaunchShape& shape)
      : function_(reinterpret_cast<const void*>(kernel)), shape_(shape) {
    config_.gridDim = dim3(shape.blocks_x, shape.blocks_y, shape.blocks_z);
    config_.blockDim = dim3(shape.threads);
    config_.dynamicSmemBytes = shape.shared_bytes;
    config_.attrs = attributes_;
    error_ = prepare();
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // overlaps_previous: may begin before the launch ahead of it has ended, see dependency.h.
  Status operator()(const Params& params, bool overlaps_previous, void* stream) {
    if (error_ != cudaSuccess) return status_of(error_);
    config_.stream = static_cast<cudaStream_t>(stream);
    config_.numAttrs = overlaps_previous && waits_ ? count_ + 1 : count_;
    void* arguments[] = {const_cast<Params*>(&params)};
    return status_of(cudaLaunchKernelExC(&config_, function_, arguments));
  }

  // Whether the device can run all blocks at the same time if they are launched so, and one cluster of them otherwise.
  bool fits() {
    int found = 0;
    cudaError_t error = error_;
    if (error == cudaSuccess && shape_.cluster > 1) {
      config_.numAttrs = 1;  // the size of the cluster alone
      error = cudaOccupancyMaxActiveClusters(&found, function_, &config_);
    } else if (error == cudaSuccess) {
      error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&found, function_, static_cast<int>(shape_.threads),
                                                            shape_.shared_bytes);
    }
    if (error != cudaSuccess) {
      forget_error();
      return false;
    }
    const auto at_once = static_cast<long long>(found) * (shape_.cluster > 1 ? shape_.cluster : multiprocessors());
    const auto blocks = static_cast<long long>(shape_.blocks_x) * shape_.blocks_y * shape_.blocks_z;
    return (shape_.all_at_once ? blocks : shape_.cluster) <= at_once;
  }

 private:
  cudaError_t prepare() {
    constexpr std::size_t kSharedWithoutAsking = 48 * 1024;
    constexpr unsigned kPortableCluster = 8;
    // Not the device decides, but what the kernel was compiled for: PTX of an older architecture runs on a newer
    // device without the instructions that it lacks.
    cudaFuncAttributes found = {};
    cudaError_t error = cudaFuncGetAttributes(&found, function_);
    if (error != cudaSuccess) return error;
    waits_ = found.ptxVersion >= 90 && compute_capability() >= 90;
    if (shape_.cluster > 1 && !waits_) return cudaErrorNotSupported;
    if (shape_.shared_bytes > kSharedWithoutAsking) {
      error = cudaFuncSetAttribute(function_, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(shape_.shared_bytes));
      if (error != cudaSuccess) return error;
    }
    if (shape_.cluster > kPortableCluster) {
      error = cudaFuncSetAttribute(function_, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
    }
    if (shape_.cluster > 1) {
      cudaLaunchAttribute& attribute = attributes_[count_++];
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim.x = shape_.cluster;
      attribute.val.clusterDim.y = 1;
      attribute.val.clusterDim.z = 1;
    }
    if (shape_.all_at_once) {
      cudaLaunchAttribute& attribute = attributes_[count_++];
      attribute.id = cudaLaunchAttributeCooperative;
      attribute.val.cooperative = 1;
    }
    attributes_[count_].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes_[count_].val.programmaticStreamSerializationAllowed = 1;
    return error;
  }

  const void* function_;
  LaunchShape shape_;
  cudaLaunchAttribute attributes_[3] = {};  // the last one for launches that overlap
  unsigned count_ = 0;
  cudaLaunchConfig_t config_ = {};
  bool waits_ = false;  // the kernel's code has griddepcontrol and clusters
  cudaError_t error_ = cudaSuccess;
};

template <class Params>
Status launch(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  return Launcher<Params>(kernel, shape)(params, shape.overlaps_previous, stream);
}

// Of device memory, in the order of the stream: sets every byte, and copies rows that lie side by side to others that
// begin to_bytes apart.
inline Status fill(void* memory, int byte, std::size_t bytes, void* stream) {
  return status_of(cudaMemsetAsync(memory, byte, bytes, static_cast<cudaStream_t>(stream)));
}
inline Status copy_rows(void* to, std::size_t to_bytes, const void* from, std::size_t bytes, std::size_t rows,
                        void* stream) {
  return status_of(cudaMemcpy2DAsync(to, to_bytes, from, bytes, bytes, rows, cudaMemcpyDeviceToDevice,
                                     static_cast<cudaStream_t>(stream)));
}

}  // namespace lrcn_fast::cuda

#endif
