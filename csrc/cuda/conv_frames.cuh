#pragma once

#include <algorithm>
#include <cstdint>

#include "frame_window.cuh"
#include "lrcn_fast/conv_frames.h"
#include "numeric.cuh"
#include "primitives/barrier.h"
#include "primitives/ids.h"
#include "primitives/launch.h"
#include "primitives/matrix.h"
#include "primitives/shared.h"
#include "primitives/words.h"

// The kernel of conv_frames.h. A block keeps the weights in shared memory and takes bands of pooled rows, one after
// the other. A pooled row needs three rows of the convolution, of which it shares one with the next: a ring of
// three. The convolution is a product on tensor cores of patches, which are runs of neighbouring pixels, with the
// weights; neither the patches nor the convolution's output ever reach memory.

namespace lrcn_fast::cuda {

template <class T, int kKernel, int kStride>
struct ConvFramesShape {
  static constexpr int kChannels = kConvFramesChannels, kOutputs = kConvFramesOutputs;
  static constexpr int kWarps = 8, kThreads = 32 * kWarps;
  static constexpr int kRun = kKernel * kChannels;           // pixels of a patch that are neighbours: one row of it
  static constexpr int kPairs = (kRun + 1) / 2;              // in twos, as the tensor cores take them
  static constexpr int kSteps = (kKernel * kPairs + 7) / 8;  // of 16 terms of the sums
  static constexpr int kTileRows = kStride + kKernel;        // rows of the image under two rows of the convolution
  static constexpr int kWeightWords = kSteps * kOutputs / 16 * 32;
  // Of a position in the ring. Its eight neighbours in an epilogue fall into different banks.
  static constexpr int kRingStride = kOutputs + 8;

  int width, convolved_width;
  int pitch;       // elements of a row of the image in shared memory, with zeros behind it
  int tile, ring;  // bytes in shared memory before the image's rows and before the ring

  explicit ConvFramesShape(std::int64_t image_width)
      : width(static_cast<int>(image_width)),
        convolved_width(static_cast<int>(conv_frames_convolved(image_width, kKernel, kStride))),
        pitch((width * kChannels + 1 + 3) / 4 * 4),
        tile(static_cast<int>(sizeof(Words4)) * kWeightWords),
        ring(tile + (kTileRows * pitch * static_cast<int>(sizeof(T)) + 15) / 16 * 16) {}

  std::size_t shared_bytes() const {
    return ring + sizeof(T) * 3 * static_cast<std::size_t>(convolved_width) * kRingStride;
  }
};

template <class T, int kKernel, int kStride>
struct ConvFramesLaunch {
  ConvFrames params;
  ConvFramesShape<T, kKernel, kStride> shape;
  int convolved_height, pooled_height, pooled_width;
  int band_rows, bands;  // pooled rows of a band, bands of a frame
};

// A NaN stays.
__device__ __forceinline__ float larger(float a, float b) { return b > a || b != b ? b : a; }

template <class T, int kKernel, int kStride>
class ConvFramesBlock {
 public:
  using Shape = ConvFramesShape<T, kKernel, kStride>;

  __device__ explicit ConvFramesBlock(const ConvFramesLaunch<T, kKernel, kStride>& launch)
      : launch_(launch),
        p_(launch.params),
        shape_(launch.shape),
        weights_(reinterpret_cast<Words4*>(dynamic_shared())),
        tile_(reinterpret_cast<T*>(dynamic_shared() + launch.shape.tile)),
        ring_(reinterpret_cast<T*>(dynamic_shared() + launch.shape.ring)) {}

  // As the tensor cores take them: for each step and each 16 outputs, a lane's four words are one.
  __device__ void load_weights() {
    const T* weight = static_cast<const T*>(p_.weight);
    for (int place = static_cast<int>(thread_index()); place < Shape::kWeightWords; place += Shape::kThreads) {
      const int owner = place % 32, outputs = place / 32 % (Shape::kOutputs / 16) * 16;
      const int step = place / 32 / (Shape::kOutputs / 16);
      Words4 words;
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int output = outputs + r / 2 * 8 + owner / 4;
        const int pair = step * 8 + owner % 4 + r % 2 * 4;
        const int row = pair / Shape::kPairs, first = pair % Shape::kPairs * 2;
        Pair two = {to_storage<T>(0.0f), to_storage<T>(0.0f)};
        const T* run = weight + (output * kKernel + row) * Shape::kRun + first;
        if (row < kKernel) two.at[0] = load_constant(run);
        if (row < kKernel && first + 1 < Shape::kRun) two.at[1] = load_constant(run + 1);
        words.word[r] = bits_as<std::uint32_t>(two);
      }
      store_shared(weights_ + place, words);
    }
  }

  __device__ void run_band(std::int64_t frame, int band) {
    frame_ = frame;
    window_ = FrameWindow(p_, frame);
    const int first = band * launch_.band_rows;
    const int last =
        first + launch_.band_rows < launch_.pooled_height ? first + launch_.band_rows : launch_.pooled_height;
    convolve(2 * first, 1);
    for (int row = first; row < last; ++row) {
      const int left = launch_.convolved_height - (2 * row + 1);
      convolve(2 * row + 1, left < 2 ? left : 2);
      pool(row);
    }
  }

 private:
  struct Bytes {
    std::uint8_t at[4];
  };
  struct Pair {
    T at[2];
  };
  struct Four {
    T at[4];
  };
  struct Eight {
    T at[8];
  };

  // Of a row of the image, the element of a pair of neighbours that are terms of the sums: pair 0 to kKernel *
  // kPairs - 1 of a patch, counted on by eights. Those behind stay at the last one: their weights are zero.
  struct PairOffset {
    int offset, column, jump, last;

    __device__ PairOffset(int pair, int pitch)
        : offset(2 * pair),
          column(pair),
          jump(pitch - 2 * Shape::kPairs),
          last((kKernel - 1) * pitch + 2 * (Shape::kPairs - 1)) {}
    __device__ int next() {
      const int now = offset < last ? offset : last;
      offset += 16;
      column += 8;
      if (column >= Shape::kPairs) {
        column -= Shape::kPairs;
        offset += jump;
      }
      return now;
    }
  };

  // Rows `row` to `row` + `rows` - 1 of the convolution, into the ring.
  __device__ void convolve(int row, int rows) {
    if (rows > 0) load_tile(row * kStride, (rows - 1) * kStride + kKernel);
    block_barrier();
    const int positions = rows * shape_.convolved_width;
    for (int group = static_cast<int>(warp()) % 4; group * 32 < positions; group += 4) {
      multiply(row, group * 32, positions, static_cast<int>(warp()) / 4);
    }
    block_barrier();
  }

  __device__ void load_tile(int first, int rows) {
    const int elements = shape_.width * Shape::kChannels;
    const bool in_order = !window_.mirrored && p_.channel_stride == 1 && p_.column_stride == Shape::kChannels;
    for (int i = static_cast<int>(warp()); i < rows; i += Shape::kWarps) {
      const std::uint8_t* source = p_.pixels + frame_ * p_.frame_stride + (window_.top + first + i) * p_.row_stride;
      const std::uint8_t* run = source + window_.left * p_.column_stride;
      for (int element = static_cast<int>(lane()) * 4; element < shape_.pitch; element += 128) {
        Bytes bytes = {};
        if (in_order && element + 4 <= elements && reinterpret_cast<std::uintptr_t>(run + element) % 4 == 0) {
          bytes = load_constant(reinterpret_cast<const Bytes*>(run + element));
        } else {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int x = (element + e) / Shape::kChannels, channel = (element + e) % Shape::kChannels;
            if (element + e >= elements) continue;
            bytes.at[e] =
                load_constant(source + window_.column(p_, x) * p_.column_stride + channel * p_.channel_stride);
          }
        }
        Four four;
#pragma unroll
        for (int e = 0; e < 4; ++e) four.at[e] = to_storage<T>(static_cast<float>(bytes.at[e]));
        store_shared(reinterpret_cast<Four*>(tile_ + i * shape_.pitch + element), four);
      }
    }
  }

  // 32 positions of the convolution times 48 outputs.
  __device__ void multiply(int row, int first, int positions, int half) {
    constexpr int kTiles = Shape::kOutputs / 16;
    const T* patch[4];
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      const int wanted = first + static_cast<int>(lane()) / 4 + 8 * m;
      const int position = wanted < positions ? wanted : positions - 1;
      patch[m] = tile_ + position / shape_.convolved_width * kStride * shape_.pitch +
                 position % shape_.convolved_width * kStride * Shape::kChannels;
    }
    const Words4* weights = weights_ + half * (kTiles / 2) * 32 + lane();
    PairOffset low(static_cast<int>(lane()) % 4, shape_.pitch), high(static_cast<int>(lane()) % 4 + 4, shape_.pitch);
    float sums[2][kTiles][4] = {};
    for (int step = 0; step < Shape::kSteps; ++step) {
      const int near = low.next(), far = high.next();
      std::uint32_t a[2][4];
#pragma unroll
      for (int m = 0; m < 4; ++m) {
        a[m / 2][m % 2] = load_shared(reinterpret_cast<const std::uint32_t*>(patch[m] + near));
        a[m / 2][m % 2 + 2] = load_shared(reinterpret_cast<const std::uint32_t*>(patch[m] + far));
      }
#pragma unroll
      for (int n = 0; n < kTiles; n += 2) {
        const Words4 words = load_shared(weights + (step * kTiles + n / 2) * 32);
        const std::uint32_t b[2][2] = {{words.word[0], words.word[1]}, {words.word[2], words.word[3]}};
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          mma(sums[m][n], a[m], b[0], T{});
          mma(sums[m][n + 1], a[m], b[1], T{});
        }
      }
    }
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      const int position = first + static_cast<int>(lane()) / 4 + 8 * m;
      if (position >= positions) continue;
      T* place = ring(row + position / shape_.convolved_width, position % shape_.convolved_width);
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const int output = (half * kTiles + n) * 8 + static_cast<int>(lane()) % 4 * 2;
        Pair two;
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const float sum = sums[m / 2][n][m % 2 * 2 + e] + load_constant(p_.bias + output + e);
          two.at[e] = to_storage<T>(sum < 0 ? 0.0f : sum);
        }
        store_shared(reinterpret_cast<Pair*>(place + output), two);
      }
    }
  }

  __device__ T* ring(int row, int x) const {
    return ring_ + (row % 3 * shape_.convolved_width + x) * Shape::kRingStride;
  }

  // Eight outputs of a pooled position for a thread, with two on either side for the normalisation.
  __device__ void pool(int row) {
    constexpr int kGroups = Shape::kOutputs / 8;
    for (int item = static_cast<int>(thread_index()); item < launch_.pooled_width * kGroups; item += Shape::kThreads) {
      const int x = item / kGroups, group = item % kGroups;
      float largest[12] = {};
#pragma unroll
      for (int i = 0; i < 9; ++i) {
        const int convolved_row = 2 * row + i / 3, convolved_x = 2 * x + i % 3;
        if (convolved_row >= launch_.convolved_height || convolved_x >= shape_.convolved_width) continue;
        const T* place = ring(convolved_row, convolved_x) + group * 8;
        const Eight eight = load_shared(reinterpret_cast<const Eight*>(place));
#pragma unroll
        for (int e = 0; e < 8; ++e) largest[e + 2] = larger(largest[e + 2], to_real(eight.at[e]));
#pragma unroll
        for (int side = 0; side < 2; ++side) {
          if (group == (side == 0 ? 0 : kGroups - 1)) continue;
          const Pair two = load_shared(reinterpret_cast<const Pair*>(place + (side == 0 ? -2 : 8)));
          largest[side * 10] = larger(largest[side * 10], to_real(two.at[0]));
          largest[side * 10 + 1] = larger(largest[side * 10 + 1], to_real(two.at[1]));
        }
      }
      Eight result;
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        float squares = 0.0f;
#pragma unroll
        for (int c = 0; c < 5; ++c) squares += largest[e + c] * largest[e + c];
        result.at[e] = to_storage<T>(largest[e + 2] * expf(-p_.beta * logf(p_.k + p_.alpha / 5.0f * squares)));
      }
      const std::int64_t position = (frame_ * launch_.pooled_height + row) * launch_.pooled_width + x;
      store(reinterpret_cast<Eight*>(static_cast<T*>(p_.output) + position * Shape::kOutputs) + group, result);
    }
  }

  const ConvFramesLaunch<T, kKernel, kStride>& launch_;
  const ConvFrames& p_;
  const Shape& shape_;
  Words4* const weights_;  // for each step, 16 outputs and lane
  T* const tile_;          // (kTileRows, pitch)
  T* const ring_;          // (3, convolved_width, kRingStride), row r at r % 3
  std::int64_t frame_ = 0;
  FrameWindow window_;
};

template <class T, int kKernel, int kStride>
__global__ void conv_frames_kernel(ConvFramesLaunch<T, kKernel, kStride> launch) {
  ConvFramesBlock<T, kKernel, kStride> block(launch);
  block.load_weights();
  const std::int64_t items = launch.params.frames * launch.bands;
  for (std::int64_t item = block_x(); item < items; item += blocks_x()) {
    block.run_band(item / launch.bands, static_cast<int>(item % launch.bands));
  }
}

template <class T, int kKernel, int kStride>
Status launch_conv_frames(const ConvFrames& params, void* stream) {
  using Shape = ConvFramesShape<T, kKernel, kStride>;
  constexpr std::int64_t kMost = 1 << 14;
  const auto convolved = [](std::int64_t size) { return conv_frames_convolved(size, kKernel, kStride); };
  if (params.frames < 0 || params.height > kMost || params.width > kMost) return Status::kInvalidSize;
  if (convolved(params.height) < 3 || convolved(params.width) < 3) return Status::kInvalidSize;
  if (params.frames == 0) return Status::kOk;

  ConvFramesLaunch<T, kKernel, kStride> launched{params, Shape(params.width), 0, 0, 0, 0, 0};
  launched.convolved_height = static_cast<int>(convolved(params.height));
  launched.pooled_height = static_cast<int>(conv_frames_pooled(launched.convolved_height));
  launched.pooled_width = static_cast<int>(conv_frames_pooled(launched.shape.convolved_width));
  // Every multiprocessor gets as many bands as the others, and none is smaller than it takes.
  const std::int64_t blocks = multiprocessors(), rounds = (params.frames + blocks - 1) / blocks;
  const std::int64_t rows = params.frames * launched.pooled_height;
  const std::int64_t band = (rows + rounds * blocks - 1) / (rounds * blocks);
  launched.band_rows = static_cast<int>(std::min<std::int64_t>(band, launched.pooled_height));
  launched.bands = (launched.pooled_height + launched.band_rows - 1) / launched.band_rows;

  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(std::min(blocks, params.frames * launched.bands));
  shape.threads = Shape::kThreads;
  shape.shared_bytes = launched.shape.shared_bytes();
  return launch(conv_frames_kernel<T, kKernel, kStride>, shape, launched, stream);
}

inline Status conv_frames(const ConvFrames& params, void* stream) {
  const auto with_type = [&](auto element) {
    using T = decltype(element);
    if (params.kernel == 11 && params.stride == 4) return launch_conv_frames<T, 11, 4>(params, stream);
    if (params.kernel == 7 && params.stride == 2) return launch_conv_frames<T, 7, 2>(params, stream);
    return Status::kInvalidSize;
  };
  if (params.channels != kConvFramesChannels) return Status::kInvalidSize;
  if (params.dtype == DType::kFloat16) return with_type(half_t{});
  if (params.dtype == DType::kBFloat16) return with_type(bfloat16_t{});
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
