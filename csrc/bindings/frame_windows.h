#pragma once

#include <optional>

#include "checks.h"
#include "lrcn_fast/frame_windows.h"

// What the bindings of ops on frames share: check the windows, fill their struct in.
namespace lrcn_fast::bindings {

// A view (N, C, Y, X) of (N, Y, X, C).
inline Tensor with_channels_second(const Tensor& tensor) {
  return torch::stable::transpose(torch::stable::transpose(tensor, 1, 3), 2, 3);
}

// The tensors that the windows point into, beside the frames, which stay the caller's.
struct WindowTensors {
  std::optional<Tensor> offsets, mirror;
};

inline WindowTensors take_windows(const char* op, FrameWindows& windows, const Tensor& frames,
                                  const std::optional<Tensor>& offsets, const std::optional<Tensor>& mirror,
                                  std::int64_t height, std::int64_t width, std::int64_t most_channels) {
  check_rank(op, "frames", frames, 4, "(N, Y, X, C)");
  check_dtype(op, "frames", frames, ScalarType::Byte);
  windows.frames = frames.size(0);
  windows.frame_height = frames.size(1);
  windows.frame_width = frames.size(2);
  windows.channels = frames.size(3);
  if (windows.channels < 1 || windows.channels > most_channels)
    fail(op, "argument 'frames' must have 1 to ", most_channels, " channels (N, Y, X, C), got ", describe(frames));
  if (height < 1 || width < 1 || height > windows.frame_height || width > windows.frame_width)
    fail(op, "arguments 'height' and 'width' must lie within 1..Y and 1..X, got ", height, " and ", width, " for ",
         describe(frames));
  windows.height = height;
  windows.width = width;
  windows.pixels = static_cast<const std::uint8_t*>(frames.const_data_ptr());
  windows.frame_stride = frames.stride(0);
  windows.row_stride = frames.stride(1);
  windows.column_stride = frames.stride(2);
  windows.channel_stride = frames.stride(3);
  if (offsets.has_value()) {
    check_shape(op, "offsets", *offsets, {windows.frames, 2}, "(N, 2)");
    check_dtype(op, "offsets", *offsets, ScalarType::Long);
    check_device(op, "offsets", *offsets, frames);
  }
  if (mirror.has_value()) {
    check_shape(op, "mirror", *mirror, {windows.frames}, "(N,)");
    check_dtype(op, "mirror", *mirror, ScalarType::Bool);
    check_device(op, "mirror", *mirror, frames);
  }
  WindowTensors tensors{contiguous(offsets), contiguous(mirror)};
  windows.offsets = static_cast<const std::int64_t*>(data_or_null(tensors.offsets));
  windows.mirror = static_cast<const bool*>(data_or_null(tensors.mirror));
  return tensors;
}

// Only where the offsets can be read without waiting for a device.
inline void check_offsets(const char* op, const FrameWindows& windows) {
  if (windows.offsets == nullptr) return;
  const std::int64_t rows = windows.frame_height - windows.height, columns = windows.frame_width - windows.width;
  for (std::int64_t n = 0; n < windows.frames; ++n) {
    const std::int64_t top = windows.offsets[2 * n], left = windows.offsets[2 * n + 1];
    if (top < 0 || top > rows || left < 0 || left > columns)
      fail(op, "argument 'offsets' must lie within (0, 0)..(", rows, ", ", columns, "), got (", top, ", ", left,
           ") for frame ", n);
  }
}

}  // namespace lrcn_fast::bindings
