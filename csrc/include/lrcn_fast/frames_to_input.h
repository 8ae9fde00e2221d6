#pragma once

#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// Frames of pixels to the input of a convolution, in one pass (Caffe's DataTransformer):
//
//   pixel = frame[top + y][left + x], or frame[top + y][left + X - 1 - x] where the frame is mirrored
//   input = (pixel - mean) * scale
//
// N frames of Y0 x X0 pixels and C channels; Y x X is the window that is cut out of each. Every buffer belongs
// to the caller, who keeps it alive until the launch has finished: on return for the CPU, when the stream has
// passed the launch for CUDA. Strides are in elements and may be zero. Whatever N, nothing outside the frames
// is read.

namespace lrcn_fast {

inline constexpr int kMostFrameChannels = 4;

struct FramesToInput {
  DType dtype;                             // of the result; half types compute in float
  std::int64_t frames;                     // N
  std::int64_t channels;                   // C, 1 to kMostFrameChannels
  std::int64_t frame_height, frame_width;  // Y0, X0
  std::int64_t height, width;              // Y, X, at most Y0, X0

  const std::uint8_t* pixels;  // in (N, Y0, X0, C)
  std::int64_t frame_stride, row_stride, column_stride, channel_stride;
  const std::int64_t* offsets;  // in (N, 2): top and left, contiguous, or null for the middle
  const bool* mirror;           // in (N,), contiguous, or null for no frame

  std::int32_t source[kMostFrameChannels];  // channel c of the result is channel source[c] of the frame
  std::int32_t inverted;                    // channel of the result whose pixels are 255 - pixel where mirrored, or -1
  double mean[kMostFrameChannels];          // by channel of the result
  double scale[kMostFrameChannels];
  const void* mean_image;  // in (C, Y0, X0) in the place of mean: float, or double for kFloat64; or null
  std::int64_t mean_channel_stride, mean_row_stride, mean_column_stride;

  bool channels_last;
  void* input;  // out (N, C, Y, X), or (N, Y, X, C) with channels_last; contiguous, aligned to 16 bytes
};

// Offsets must lie within 0..Y0 - Y and 0..X0 - X.
void frames_to_input_cpu(const FramesToInput& params, const Parallel& parallel);

// Offsets outside count as the nearest inside. `stream` is a cudaStream_t of the calling thread's current device.
// Returns at once: a status other than kOk says that nothing was launched. A frame's window must have fewer than
// 2^31 elements.
Status frames_to_input_cuda(const FramesToInput& params, void* stream);

}  // namespace lrcn_fast
