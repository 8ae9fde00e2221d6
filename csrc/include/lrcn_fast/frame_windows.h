#pragma once

#include <cstdint>

// Windows of Y x X pixels, one cut out of each of N frames of Y0 x X0 pixels and C channels:
//
//   pixel(n, y, x) = frame[n][top + y][left + x], or frame[n][top + y][left + X - 1 - x] where the frame is mirrored
//
// Strides are in elements and may be zero. Nothing outside the frames is read.

namespace lrcn_fast {

struct FrameWindows {
  std::int64_t frames;                     // N
  std::int64_t channels;                   // C
  std::int64_t frame_height, frame_width;  // Y0, X0
  std::int64_t height, width;              // Y, X, at most Y0, X0

  const std::uint8_t* pixels;  // in (N, Y0, X0, C)
  std::int64_t frame_stride, row_stride, column_stride, channel_stride;
  const std::int64_t* offsets;  // in (N, 2): top and left, contiguous, or null for the middle
  const bool* mirror;           // in (N,), contiguous, or null for no frame
};

}  // namespace lrcn_fast
