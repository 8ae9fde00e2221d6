#pragma once

#include "bands.h"
#include "lrn.h"
#include "pool.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Values for LRN, zeros before the first and after the last channel.
template <class C>
struct Lines {
  C* first;
  int64_t step;  // from a channel to the next

  static Lines take(Workspace& workspace, int64_t channels, int64_t step, int64_t around) {
    const int64_t before = around * step;
    const int64_t after = before + 2 * kLanes<C>;
    C* memory = workspace.take<C>(before + channels * step + after);
    if (memory == nullptr) return {nullptr, step};
    fill_zero(memory, 0, before);
    fill_zero(memory + before + channels * step, 0, after);
    return {memory + before, step};
  }

  C* of(int64_t channel) const { return first + channel * step; }
};

// What the forward and the backward share: sizes, places in the maps, and lines between their elements and those that
// are computed in. Of a line of `count` values whole vectors are written in scratch memory.
template <class S>
struct MapJob {
  using C = Compute<S>;

  explicit MapJob(const ReluMaxPoolLrnShape& shape)
      : shape_(shape),
        lrn_(shape.lrn_size, shape.channels, shape.alpha, shape.beta, shape.k),
        plane_(shape.height * shape.width),
        pooled_plane_(shape.pooled_height * shape.pooled_width),
        padded_channels_(round_up(shape.channels, kLanes<C>)) {}

  // The first element of a row of a channel in a contiguous map; channels-last, with channel 0, of a row of pixels.
  int64_t input_at(int64_t frame, int64_t channel, int64_t row) const {
    return at(frame, channel, row, plane_, shape_.width);
  }
  int64_t pooled_at(int64_t frame, int64_t channel, int64_t row) const {
    return at(frame, channel, row, pooled_plane_, shape_.pooled_width);
  }

  static void load_line(const S* source, int64_t count, C* line) {
    for (int64_t i = 0; i < count; i += kLanes<C>) store(line + i, load(source + i, count - i));
  }
  // max(x, 0), or x.
  void rectify_line(const S* x, int64_t count, C* line) const {
    for (int64_t i = 0; i < count; i += kLanes<C>) {
      const Vec<C> value = load(x + i, count - i);
      store(line + i, shape_.relu ? positive<C>(value) : value);
    }
  }
  static void store_line(const C* line, int64_t count, S* target) {
    for (int64_t i = 0; i < count; i += kLanes<C>) store(target + i, load(line + i), count - i);
  }

  const ReluMaxPoolLrnShape& shape_;
  Lrn<C> lrn_;
  int64_t plane_;
  int64_t pooled_plane_;
  int64_t padded_channels_;
  int64_t next_ = 0;  // band that nobody has taken

 private:
  int64_t at(int64_t frame, int64_t channel, int64_t row, int64_t plane, int64_t width) const {
    if (shape_.channels_last) return (frame * plane + row * width) * shape_.channels + channel;
    return (frame * shape_.channels + channel) * plane + row * width;
  }
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
