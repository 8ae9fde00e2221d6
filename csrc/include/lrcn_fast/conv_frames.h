#pragma once

#include <cstdint>

#include "lrcn_fast/frame_windows.h"
#include "lrcn_fast/types.h"

// The first layer of CaffeNet (filters of 11 x 11 at stride 4) and of the hybrid net (7 x 7 at stride 2), on pixels:
//
//   a = max(0, bias + sum of weight * pixel)           (N, 96, Yc, Xc), no padding
//   b = max of a in windows of 3 x 3 at stride 2       (N, 96, Yp, Xp), the last windows may hang over the edge
//   output = b / (k + alpha / 5 * sum of b^2 over 5 neighbouring channels)^beta
//
// Products and sums are float, a is rounded to `dtype`. Whatever is to be done to the pixels is in the weights and
// the bias. Every buffer belongs to the caller, who keeps it alive until the stream has passed the launch.

namespace lrcn_fast {

inline constexpr int kConvFramesChannels = 3;
inline constexpr int kConvFramesOutputs = 96;

struct ConvFrames : FrameWindows {
  DType dtype;          // of weight and output: kFloat16 or kBFloat16
  std::int64_t kernel;  // K: 11 or 7
  std::int64_t stride;  // 4 or 2

  const void* weight;  // in (96, K, K, 3), contiguous
  const float* bias;   // in (96,), contiguous
  float alpha, beta, k;

  void* output;  // out (N, Yp, Xp, 96), contiguous, aligned to 16 bytes
};

constexpr std::int64_t conv_frames_convolved(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  return size < kernel ? 0 : (size - kernel) / stride + 1;
}
constexpr std::int64_t conv_frames_pooled(std::int64_t size) { return size < 3 ? 0 : size / 2; }

// `stream` is a cudaStream_t of the calling thread's current device. Returns at once: a status other than kOk says
// that nothing was launched.
Status conv_frames_cuda(const ConvFrames& params, void* stream);

}  // namespace lrcn_fast
