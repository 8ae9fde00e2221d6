// How long a grid of co-resident blocks takes to hand every block the state of all blocks, once per step:
// grid.sync(), a counter in global memory, or words that carry their step with them, so that no barrier is needed.
#include <cooperative_groups.h>

#include "common.cuh"

namespace {

namespace cg = cooperative_groups;
using probe::kMostLooks;

// kAhead: loads that a thread has under way at a time.
constexpr int kThreads = 256, kSteps = 400, kAhead = 4;
constexpr const char* kWays[] = {"grid_sync", "flag", "data"};

struct Args {
  uint4* words;       // (2, count): slots of even and odd steps
  unsigned* arrived;  // one counter
  unsigned* wrong;    // values that were not those of their step, or waits that were given up
  int count, steps;   // 16-byte words per step; each block writes its share of them
};

__device__ unsigned value_of(int word, int step) { return word * 2654435761u + step; }

__device__ void store_whole(uint4* to, uint4 value) {
  // One 16-byte store that cannot be torn: a tag in the last word vouches for the other three.
  const unsigned long long low = value.x | static_cast<unsigned long long>(value.y) << 32;
  const unsigned long long high = value.z | static_cast<unsigned long long>(value.w) << 32;
  asm volatile("{ .reg .b128 whole; mov.b128 whole, {%1, %2}; st.relaxed.gpu.global.b128 [%0], whole; }" ::"l"(to),
               "l"(low), "l"(high)
               : "memory");
}

__device__ uint4 load_whole(const uint4* from) {
  unsigned long long low, high;
  asm volatile("{ .reg .b128 whole; ld.relaxed.gpu.global.b128 whole, [%2]; mov.b128 {%0, %1}, whole; }"
               : "=l"(low), "=l"(high)
               : "l"(from)
               : "memory");
  return make_uint4(static_cast<unsigned>(low), static_cast<unsigned>(low >> 32), static_cast<unsigned>(high),
                    static_cast<unsigned>(high >> 32));
}

// All threads of all blocks have arrived, or false after too long.
__device__ bool arrive_and_wait(unsigned* arrived, unsigned goal) {
  __shared__ bool good;
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(arrived) : "memory");
    unsigned seen = 0, looks = 0;
    do {
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrived) : "memory");
    } while (seen < goal && ++looks < kMostLooks);
    good = seen >= goal;
  }
  __syncthreads();
  return good;
}

template <int way>
__global__ void __launch_bounds__(kThreads) exchange(Args args) {
  const int share = (args.count + gridDim.x - 1) / gridDim.x;
  const int first = blockIdx.x * share, last = min(first + share, args.count);
  unsigned wrong = 0;
  for (int step = 1; step <= args.steps; ++step) {
    uint4* slot = args.words + static_cast<size_t>(step & 1) * args.count;
    for (int word = first + threadIdx.x; word < last; word += kThreads) {
      const unsigned value = value_of(word, step);
      const uint4 whole = make_uint4(value, value + 1, value + 2, way == 2 ? step : value + 3);
      if (way == 2)
        store_whole(slot + word, whole);
      else
        __stcg(slot + word, whole);
    }
    if (way == 0) cg::this_grid().sync();
    bool good = true;
    if (way == 1) good = arrive_and_wait(args.arrived, step * gridDim.x);
    for (int base = threadIdx.x; base < args.count && good; base += kAhead * kThreads) {
      uint4 whole[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const uint4* from = slot + min(base + i * kThreads, args.count - 1);
        whole[i] = way == 2 ? load_whole(from) : __ldcg(from);
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const int word = min(base + i * kThreads, args.count - 1);
        if (way == 2)
          for (unsigned looks = 0; whole[i].w != step && (good = ++looks < kMostLooks);)
            whole[i] = load_whole(slot + word);
        wrong += whole[i].x != value_of(word, step);
      }
    }
    // Nobody may leave a grid.sync() alone, and that way is never given up.
    if (__syncthreads_or(!good)) {
      if (threadIdx.x == 0) atomicAdd(args.wrong, 1u);
      return;
    }
  }
  if (wrong != 0) atomicAdd(args.wrong, wrong);
}

void measure(int way, int blocks, int bytes) {
  const void* kernels[] = {reinterpret_cast<void*>(exchange<0>), reinterpret_cast<void*>(exchange<1>),
                           reinterpret_cast<void*>(exchange<2>)};
  // A word that carries its step has 12 bytes for the state.
  Args args{nullptr, nullptr, nullptr, (bytes + (way == 2 ? 11 : 15)) / (way == 2 ? 12 : 16), kSteps};
  const size_t size = 2 * sizeof(uint4) * args.count;
  CHECK(cudaMalloc(&args.words, size));
  CHECK(cudaMalloc(&args.arrived, 2 * sizeof(unsigned)));
  args.wrong = args.arrived + 1;
  probe::Timer timer(nullptr);
  unsigned wrong = 0;
  const float ms = probe::median_ms([&] {
    CHECK(cudaMemset(args.words, 0, size));
    CHECK(cudaMemset(args.arrived, 0, 2 * sizeof(unsigned)));
    void* parameters[] = {&args};
    timer.start();
    CHECK(cudaLaunchCooperativeKernel(kernels[way], dim3(blocks), dim3(kThreads), parameters, 0, nullptr));
    const float time = timer.stop();
    unsigned found = 0;
    CHECK(cudaMemcpy(&found, args.wrong, sizeof found, cudaMemcpyDeviceToHost));
    wrong += found;
    return time;
  });
  std::printf(
      "{\"probe\": \"exchange_grid\", \"way\": \"%s\", \"blocks\": %d, \"payload_bytes\": %d, "
      "\"us_per_step\": %.4f, \"wrong\": %u}\n",
      kWays[way], blocks, bytes, ms * 1e3 / kSteps, wrong);
  std::fflush(stdout);
  CHECK(cudaFree(args.words));
  CHECK(cudaFree(args.arrived));
}

}  // namespace

int main() {
  const cudaDeviceProp properties = probe::device("exchange_grid");
  for (const int blocks : {32, 64, 128}) {
    if (blocks > properties.multiProcessorCount) {
      std::printf("{\"probe\": \"exchange_grid\", \"blocks\": %d, \"skipped\": \"only %d multiprocessors\"}\n", blocks,
                  properties.multiProcessorCount);
      continue;
    }
    for (const int kilobytes : {2, 8, 32, 128})
      for (int way = 0; way < 3; ++way) measure(way, blocks, kilobytes * 1024);
  }
  return 0;
}
