// The recurrent product as a persistent kernel does it: weights stay in registers as A fragments, the state of the
// batch comes from shared memory as B. Its rate by N (the batch) for mma.sync and, on Hopper, for wgmma.
#include <cuda_bf16.h>

#include <cstdint>

#include "common.cuh"

namespace {

// Each warp holds 16 rows of A, each warpgroup 64, by K columns, in 64 registers a thread.
constexpr int kDepth = 256, kSteps = 2000, kFragments = kDepth / 16;

// What both matrices hold: small integers, so that sums are exact in float.
__host__ __device__ float a_of(int row, int k) { return static_cast<float>((row * 7 + k * 3) % 5 - 2); }
__host__ __device__ float b_of(int k, int n) { return static_cast<float>((k * 5 + n * 11) % 7 - 3); }

__device__ std::uint32_t pair(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const std::uint32_t&>(both);
}

__device__ void load_a(std::uint32_t (&a)[kFragments][4]) {
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int f = 0; f < kFragments; ++f)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + i % 2 * 8, k = f * 16 + column + i / 2 * 8;
      a[f][i] = pair(a_of(r, k), a_of(r, k + 1));
    }
}

// The sums that this thread holds, of `steps` equal products, against sums formed one by one.
template <int N>
__device__ void verify(const float (&sums)[N / 8][4], int steps, unsigned* wrong) {
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
  unsigned bad = 0;
#pragma unroll
  for (int tile = 0; tile < N / 8; ++tile)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float expected = 0;
      for (int k = 0; k < kDepth; ++k) expected += a_of(row + i / 2 * 8, k) * b_of(k, tile * 8 + column + i % 2);
      bad += sums[tile][i] != expected * steps;
    }
  if (bad != 0) atomicAdd(wrong, bad);
}

__device__ void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <int N>
__global__ void __launch_bounds__(512) by_mma(int steps, unsigned* wrong) {
  // B by columns; eight more values in each keep the banks apart.
  __shared__ alignas(16) __nv_bfloat16 b[N][kDepth + 8];
  for (int item = threadIdx.x; item < N * kDepth; item += blockDim.x)
    b[item / kDepth][item % kDepth] = __float2bfloat16(b_of(item % kDepth, item / kDepth));
  std::uint32_t a[kFragments][4];
  load_a(a);
  __syncthreads();
  float sums[N / 8][4] = {};
  // Each lane gives ldmatrix the address of a row of 8 values: those of two fragments, one below the other.
  const int lane = threadIdx.x % 32;
  const unsigned start = static_cast<unsigned>(__cvta_generic_to_shared(&b[lane % 8][lane / 8 * 8]));
  for (int step = 0; step < steps; ++step)
#pragma unroll
    for (int f = 0; f < kFragments; f += 2)
#pragma unroll
      for (int tile = 0; tile < N / 8; ++tile) {
        // volatile: B is new in every step of a recurrence, and has to be read again.
        std::uint32_t read[4];
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(read[0]), "=r"(read[1]), "=r"(read[2]), "=r"(read[3])
                     : "r"(start + static_cast<unsigned>(sizeof(b[0])) * tile * 8 + f * 32));
        mma(sums[tile], a[f], read[0], read[1]);
        mma(sums[tile], a[f + 1], read[2], read[3]);
      }
  verify<N>(sums, steps, wrong);
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)

#define D4(t) "+f"(d[t][0]), "+f"(d[t][1]), "+f"(d[t][2]), "+f"(d[t][3])
#define A4 "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)

__device__ void wgmma(float (&d)[1][4], const std::uint32_t (&a)[4], std::uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, 1, 1, 1, 0;"
               : D4(0)
               : A4);
}

__device__ void wgmma(float (&d)[2][4], const std::uint32_t (&a)[4], std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7}, {%8, %9, %10, %11}, %12, "
      "1, 1, 1, 0;"
      : D4(0), D4(1)
      : A4);
}

__device__ void wgmma(float (&d)[4][4], const std::uint32_t (&a)[4], std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15}, {%16, %17, %18, %19}, %20, 1, 1, 1, 0;"
      : D4(0), D4(1), D4(2), D4(3)
      : A4);
}

__device__ void wgmma(float (&d)[8][4], const std::uint32_t (&a)[4], std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
      "%13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, {%32, %33, %34, "
      "%35}, %36, 1, 1, 1, 0;"
      : D4(0), D4(1), D4(2), D4(3), D4(4), D4(5), D4(6), D4(7)
      : A4);
}

#endif

// B without swizzling, K-major: core matrices of 8 columns (N) by 16 bytes (8 values of K), each 128 bytes in one
// piece; those next to each other along K are N * 16 bytes apart, along N 128 bytes.
template <int N>
__global__ void __launch_bounds__(512) by_wgmma(int steps, unsigned* wrong) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
  __shared__ alignas(128) __nv_bfloat16 b[N * kDepth];
  for (int item = threadIdx.x; item < N * kDepth; item += blockDim.x) {
    const int k = item % kDepth, n = item / kDepth;
    b[k / 8 * N * 8 + n * 8 + k % 8] = __float2bfloat16(b_of(k, n));
  }
  std::uint32_t a[kFragments][4];
  load_a(a);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const std::uint64_t along_k = N * 16, along_n = 128;
  const std::uint64_t start = static_cast<std::uint64_t>(__cvta_generic_to_shared(b));
  float sums[N / 8][4] = {};
  for (int step = 0; step < steps; ++step) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int f = 0; f < kFragments; ++f) {
      const std::uint64_t address = start + f * 2 * along_k;
      wgmma(sums, a[f], (address & 0x3ffff) >> 4 | along_k >> 4 << 16 | along_n >> 4 << 32);
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  verify<N>(sums, steps, wrong);
#endif
}

using Kernel = void (*)(int, unsigned*);

void measure(const char* way, Kernel kernel, int n, int warps, int blocks) {
  unsigned* wrong_on_device;
  CHECK(cudaMalloc(&wrong_on_device, sizeof(unsigned)));
  CHECK(cudaMemset(wrong_on_device, 0, sizeof(unsigned)));
  probe::Timer timer(nullptr);
  // The check is part of the kernel: the time of a run without steps is taken off.
  const auto run = [&](int steps) {
    return probe::median_ms([&] {
      timer.start();
      kernel<<<blocks, 32 * warps>>>(steps, wrong_on_device);
      CHECK(cudaGetLastError());
      return timer.stop();
    });
  };
  const float ms = run(kSteps) - run(0);
  unsigned wrong = 0;
  CHECK(cudaMemcpy(&wrong, wrong_on_device, sizeof wrong, cudaMemcpyDeviceToHost));
  const double flops = 2.0 * 16 * warps * n * kDepth;
  std::printf(
      "{\"probe\": \"mma_registers\", \"way\": \"%s\", \"n\": %d, \"warps\": %d, \"depth\": %d, \"us_per_step\": %.4f, "
      "\"tflop_s\": %.1f, \"wrong\": %u}\n",
      way, n, warps, kDepth, ms * 1e3 / kSteps, flops * kSteps * blocks / ms * 1e-9, wrong);
  std::fflush(stdout);
  CHECK(cudaFree(wrong_on_device));
}

}  // namespace

int main() {
  const cudaDeviceProp properties = probe::device("mma_registers");
  const int blocks = properties.multiProcessorCount;
  const int sizes[] = {8, 16, 32, 64};
  const Kernel mma[] = {by_mma<8>, by_mma<16>, by_mma<32>, by_mma<64>};
  const Kernel warpgroup[] = {by_wgmma<8>, by_wgmma<16>, by_wgmma<32>, by_wgmma<64>};
  const bool hopper = properties.major == 9 && properties.minor == 0;
  for (int i = 0; i < 4; ++i)
    for (const int warps : {4, 8, 16}) {
      measure("mma.sync", mma[i], sizes[i], warps, blocks);
      if (hopper) measure("wgmma", warpgroup[i], sizes[i], warps, blocks);
    }
  return 0;
}
