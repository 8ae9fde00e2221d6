// How long a grid of co-resident blocks takes to hand every block the state of all blocks, once per step:
// grid.sync(), a counter in global memory, or words that carry their step with them, so that no barrier is needed.
#include <cooperative_groups.h>

#include "common.cuh"
#include "primitives/flags.h"

namespace {

namespace cg = cooperative_groups;
using lrcn_fast::cuda::Words4;
using probe::kMostLooks;

// kAhead: loads that a thread has under way at a time.
constexpr int kThreads = 256, kSteps = 400, kAhead = 4;
constexpr const char* kWays[] = {"grid_sync", "flag", "data"};

struct Args {
  Words4* words;      // (2, count): slots of even and odd steps
  unsigned* arrived;  // one counter
  unsigned* wrong;    // values that were not those of their step, or waits that were given up
  int count, steps;   // 16-byte words per step; each block writes its share of them
};

__device__ unsigned value_of(int word, int step) { return word * 2654435761u + step; }

// All threads of all blocks have arrived, or false after too long.
__device__ bool arrive_and_wait(unsigned* arrived, unsigned goal) {
  __shared__ bool good;
  __syncthreads();
  if (threadIdx.x == 0) {
    lrcn_fast::cuda::add_release(arrived, 1);
    unsigned seen = 0, looks = 0;
    do {
      seen = lrcn_fast::cuda::load_acquire(arrived);
    } while (seen < goal && ++looks < kMostLooks);
    good = seen >= goal;
  }
  __syncthreads();
  return good;
}

template <int way>
__global__ void __launch_bounds__(kThreads) exchange(Args args) {
  // Every block has a word: nobody can be two steps ahead of a block for whose words it has to wait.
  const int first = blockIdx.x * args.count / gridDim.x, last = (blockIdx.x + 1) * args.count / gridDim.x;
  unsigned wrong = 0;
  for (int step = 1; step <= args.steps; ++step) {
    Words4* slot = args.words + static_cast<size_t>(step & 1) * args.count;
    for (int word = first + threadIdx.x; word < last; word += kThreads) {
      const unsigned value = value_of(word, step);
      const Words4 whole{{value, value + 1, value + 2, way == 2 ? static_cast<unsigned>(step) : value + 3}};
      if (way == 2)
        lrcn_fast::cuda::store_words(slot + word, whole);
      else
        __stcg(reinterpret_cast<uint4*>(slot + word), lrcn_fast::cuda::bits_as<uint4>(whole));
    }
    if (way == 0) cg::this_grid().sync();
    bool good = true;
    if (way == 1) good = arrive_and_wait(args.arrived, step * gridDim.x);
    for (int base = threadIdx.x; base < args.count && good; base += kAhead * kThreads) {
      Words4 whole[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const Words4* from = slot + min(base + i * kThreads, args.count - 1);
        whole[i] = way == 2 ? lrcn_fast::cuda::load_words(from)
                            : lrcn_fast::cuda::bits_as<Words4>(__ldcg(reinterpret_cast<const uint4*>(from)));
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const int word = min(base + i * kThreads, args.count - 1);
        if (way == 2)
          for (unsigned looks = 0; whole[i].word[3] != static_cast<unsigned>(step) && (good = ++looks < kMostLooks);)
            whole[i] = lrcn_fast::cuda::load_words(slot + word);
        wrong += whole[i].word[0] != value_of(word, step);
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
  if (args.count < blocks) {
    std::printf("{\"probe\": \"exchange_grid\", \"blocks\": %d, \"payload_bytes\": %d, \"skipped\": \"%d words\"}\n",
                blocks, bytes, args.count);
    return;
  }
  const size_t size = 2 * sizeof(Words4) * args.count;
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
