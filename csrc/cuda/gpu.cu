#include <cuda_runtime.h>

#include "lrcn_fast/gpu.h"

namespace lrcn_fast {

bool present_gpu(GpuProperties* gpu) {
  int device = 0, major = 0, minor = 0, clock_khz = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return false;
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
  // As many as there are multiprocessors for at most; the launcher asks for each kernel whether one fits.
  gpu->clusters_of_16 = major >= 9 && major < 12 ? multiprocessors / 16 : 0;
  gpu->clock_mhz = clock_khz / 1000;
  return true;
}

}  // namespace lrcn_fast
