#pragma once

#include "arrays.h"
#include "lrcn_fast/frame_windows.h"

namespace lrcn_fast::emulator {

inline std::int64_t stride_of(const py::array& array, int dimension) {
  return array.strides(dimension) / array.itemsize();
}

// frames (N, Y, X, C) of any strides.
inline void take_windows(FrameWindows& p, Arrays& arrays, const py::array& frames,
                         const std::optional<py::array>& offsets, const std::optional<py::array>& mirror,
                         std::int64_t height, std::int64_t width) {
  p.frames = frames.shape(0);
  p.frame_height = frames.shape(1);
  p.frame_width = frames.shape(2);
  p.channels = frames.shape(3);
  p.height = height;
  p.width = width;
  p.pixels = static_cast<const std::uint8_t*>(arrays.in("frames", frames));
  p.frame_stride = stride_of(frames, 0);
  p.row_stride = stride_of(frames, 1);
  p.column_stride = stride_of(frames, 2);
  p.channel_stride = stride_of(frames, 3);
  p.offsets = static_cast<const std::int64_t*>(arrays.in("offsets", offsets));
  p.mirror = static_cast<const bool*>(arrays.in("mirror", mirror));
}

}  // namespace lrcn_fast::emulator
