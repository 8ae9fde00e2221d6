#pragma once

#include <cstdint>

#include "lrcn_fast/frame_windows.h"
#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// Frames of pixels to the input of a convolution, in one pass (Caffe's DataTransformer):
//
//   input = (pixel - mean) * scale
//
// Every buffer belongs to the caller, who keeps it alive until the launch has finished: on return for the CPU, when
// the stream has passed the launch for CUDA.

namespace lrcn_fast {

inline constexpr int kMostFrameChannels = 4;

// C is 1 to kMostFrameChannels.
struct FramesToInput : FrameWindows {
  DType dtype;  // of the result; half types compute in float

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
