#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

// Every probe prints JSON lines on stdout, and ends with status 2 and one line on stderr where there is no GPU.
#define CHECK(call) probe::check((call), #call, __LINE__)

namespace probe {

constexpr int kNoGpu = 2;

// A wait that nothing ends would hang the device, not only this program: every loop over a flag gives up after
// this many looks, which is about a second.
constexpr unsigned kMostLooks = 1u << 20;

inline void check(cudaError_t error, const char* call, int line) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "line %d: %s: %s\n", line, call, cudaGetErrorString(error));
  std::exit(1);
}

inline cudaDeviceProp device(const char* name) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    std::fprintf(stderr, "%s: no CUDA GPU: %s\n", name,
                 error == cudaSuccess ? "the driver lists none" : cudaGetErrorString(error));
    std::exit(kNoGpu);
  }
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  return properties;
}

// Milliseconds on the device between the two ends of a stream's work.
class Timer {
 public:
  explicit Timer(cudaStream_t stream) : stream_(stream) {
    CHECK(cudaEventCreate(&start_));
    CHECK(cudaEventCreate(&end_));
  }
  ~Timer() {
    cudaEventDestroy(start_);
    cudaEventDestroy(end_);
  }
  void start() { CHECK(cudaEventRecord(start_, stream_)); }
  float stop() {
    float milliseconds = 0;
    CHECK(cudaEventRecord(end_, stream_));
    CHECK(cudaEventSynchronize(end_));
    CHECK(cudaEventElapsedTime(&milliseconds, start_, end_));
    return milliseconds;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t start_, end_;
};

// The median of five runs, after one that warms up.
template <typename Run>
float median_ms(Run run) {
  run();
  float times[5];
  for (float& time : times) time = run();
  for (int i = 1; i < 5; ++i)
    for (int j = i; j > 0 && times[j] < times[j - 1]; --j) {
      const float swapped = times[j];
      times[j] = times[j - 1];
      times[j - 1] = swapped;
    }
  return times[2];
}

}  // namespace probe
