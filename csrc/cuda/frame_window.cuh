#pragma once

#include <cstdint>

#include "lrcn_fast/frame_windows.h"
#include "primitives/memory.h"

namespace lrcn_fast::cuda {

// The window of one frame, moved inside where the offsets lie outside.
struct FrameWindow {
  std::int64_t top = 0, left = 0;
  bool mirrored = false;

  FrameWindow() = default;
  __device__ FrameWindow(const FrameWindows& p, std::int64_t frame) {
    const std::int64_t rows = p.frame_height - p.height, columns = p.frame_width - p.width;
    top = p.offsets == nullptr ? rows / 2 : within(load_constant(p.offsets + 2 * frame), rows);
    left = p.offsets == nullptr ? columns / 2 : within(load_constant(p.offsets + 2 * frame + 1), columns);
    mirrored = p.mirror != nullptr && load_constant(p.mirror + frame);
  }

  // Of the frame.
  __device__ std::int64_t column(const FrameWindows& p, std::int64_t x) const {
    return left + (mirrored ? p.width - 1 - x : x);
  }

 private:
  __device__ static std::int64_t within(std::int64_t offset, std::int64_t room) {
    return offset < 0 ? 0 : offset < room ? offset : room;
  }
};

}  // namespace lrcn_fast::cuda
