#pragma once

#include "bands.h"
#include "phases.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Bands of pooled rows. In the contiguous format a band's channels are lines of all its pixels: pooled plane by
// plane, then normalised across. Channels-last, a pixel is one line, normalised as soon as it is there.
template <class S>
class ReluMaxPoolLrnForwardJob {
 public:
  using C = Compute<S>;

  ReluMaxPoolLrnForwardJob(const ReluMaxPoolLrnForward& args, int64_t threads)
      : bands(args.shape, args.shape.pooled_height, scratch_row(args.shape), threads),
        args_(args),
        shape_(args.shape),
        lrn_(shape_.lrn_size, shape_.channels, shape_.alpha, shape_.beta, shape_.k),
        input_rows_((bands.height - 1) * shape_.stride_y + shape_.kernel_y),
        plane_(shape_.height * shape_.width),
        pooled_plane_(shape_.pooled_height * shape_.pooled_width),
        padded_channels_(round_up(shape_.channels, kLanes<C>)),
        phase_length_(round_up(shape_.pooled_width, kLanes<C>) +
                      round_up((shape_.kernel_x - 1) / shape_.stride_x, kLanes<C>)) {}

  size_t workspace_bytes() const { return static_cast<size_t>(bands.members) * Scratch(*this, nullptr).bytes; }

  void run(const Parallel& parallel) { run_members(parallel, *this); }

  void work(int64_t member) {
    const size_t bytes = Scratch(*this, nullptr).bytes;
    Scratch scratch(*this, static_cast<char*>(args_.workspace) + static_cast<size_t>(member) * bytes);
    take_bands(bands, &next_, [&](const Band& band) {
      if (args_.index != nullptr) {
        run_band<true>(scratch, band);
      } else {
        run_band<false>(scratch, band);
      }
    });
  }

  Bands bands;

 private:
  struct Scratch {
    Lines<C> values;  // what LRN reads
    C* normalized;    // channels-last, LRN-first: a band's pixels; else one line
    C* phases;        // contiguous: a channel's input rows, split
    C* pooled;        // contiguous: one channel's line, without LRN after it
    uint8_t* places;  // contiguous: of the same line
    int64_t* offset;  // of a window's columns
    size_t bytes;

    Scratch(const ReluMaxPoolLrnForwardJob& job, void* memory) {
      const ReluMaxPoolLrnShape& shape = job.shape_;
      const int64_t in_line = job.input_rows_ * shape.width;
      const int64_t out_line = job.bands.height * shape.pooled_width;
      const int64_t line = round_up((shape.starts_from_input() ? in_line : out_line) + kLanes<C>, kLanes<C>);
      const bool last = shape.channels_last;
      Workspace workspace(memory);
      values = Lines<C>::take(workspace, shape.channels, last ? 1 : line, job.lrn_.around);
      normalized = workspace.take<C>(last ? (shape.lrn_first ? in_line * job.padded_channels_ : 0) : line);
      phases = workspace.take<C>(last ? 0 : job.input_rows_ * job.split_row_length());
      pooled = workspace.take<C>(last ? 0 : out_line + kLanes<C>);
      places = workspace.take<uint8_t>(last ? 0 : out_line + kLanes<C>);
      offset = workspace.take<int64_t>(shape.kernel_x);
      bytes = workspace.used();
      if (memory == nullptr) return;
      for (int64_t k = 0; k < shape.kernel_x; ++k) {
        const int64_t pixel = shape.lrn_first ? job.padded_channels_ : shape.channels;
        const int64_t phase = k % shape.stride_x * job.phase_length_ + k / shape.stride_x;
        offset[k] = last ? k * pixel : phase;
      }
    }
  };

  static int64_t scratch_row(const ReluMaxPoolLrnShape& shape) {
    const int64_t width = shape.lrn_first ? shape.stride_y * shape.width : shape.pooled_width;
    const bool bounded = !shape.channels_last || shape.lrn_first;
    return bounded ? width * shape.channels * static_cast<int64_t>(sizeof(C)) : 0;
  }

  int64_t phase_count() const { return smaller(shape_.stride_x, shape_.kernel_x); }
  int64_t split_row_length() const { return phase_count() * phase_length_; }

  Window window_at(const Scratch& scratch, int64_t row, int64_t row_step) const {
    return {smaller(shape_.kernel_y, shape_.height - row * shape_.stride_y), shape_.kernel_x, row_step, scratch.offset,
            shape_.kernel_x};
  }

  template <bool kIndexed>
  void run_band(Scratch& scratch, const Band& band) {
    const int64_t first = band.begin * shape_.stride_y;
    const int64_t rows = smaller((band.end - 1) * shape_.stride_y + shape_.kernel_y, shape_.height) - first;
    if (shape_.channels_last) {
      shape_.starts_from_input() ? pixels_lrn_first<kIndexed>(scratch, band, first, rows)
                                 : pixels_pool_first<kIndexed>(scratch, band);
    } else {
      shape_.starts_from_input() ? planes_lrn_first<kIndexed>(scratch, band, first, rows)
                                 : planes_pool_first<kIndexed>(scratch, band, first, rows);
    }
  }

  const S* x_at(int64_t frame, int64_t channel, int64_t row) const {
    return static_cast<const S*>(args_.x) + (frame * shape_.channels + channel) * plane_ + row * shape_.width;
  }
  int64_t pooled_at(int64_t frame, int64_t channel, int64_t row) const {
    return (frame * shape_.channels + channel) * pooled_plane_ + row * shape_.pooled_width;
  }
  S* output() const { return static_cast<S*>(args_.output); }

  // values = max(x, 0), or x.
  void rectify(const S* x, int64_t count, C* values) const {
    for (int64_t i = 0; i < count; i += kLanes<C>) {
      const Vec<C> value = load(x + i, count - i);
      store(values + i, shape_.relu ? positive<C>(value) : value);
    }
  }

  template <bool kIndexed, class In>
  void pool_plane(const Scratch& scratch, const In* plane, const Band& band, int64_t first, int64_t rows, C* pooled) {
    const int64_t row_step = split_row_length();
    const C least = -static_cast<C>(__builtin_inf());
    for (int64_t row = 0; row < rows; ++row) {
      split_row(plane + row * shape_.width, shape_.width, shape_.stride_x, phase_count(), least,
                scratch.phases + row * row_step, phase_length_);
    }
    for (int64_t row = band.begin; row < band.end; ++row) {
      const Window window = window_at(scratch, row, row_step);
      const C* windows = scratch.phases + (row * shape_.stride_y - first) * row_step;
      const int64_t line = (row - band.begin) * shape_.pooled_width;
      for (int64_t i = 0; i < shape_.pooled_width; i += kLanes<C>) {
        Largest<C> best = largest_in<kIndexed>(windows + i, window, kLanes<C>);
        if (shape_.relu && !shape_.lrn_first) best.rectify();
        store(pooled + line + i, best.value);
        if constexpr (kIndexed) store_places<C>(scratch.places + line + i, best.place, kLanes<C>);
      }
    }
  }

  void store_line(const C* values, int64_t count, void* target, int64_t at) const {
    S* line = static_cast<S*>(target) + at;
    for (int64_t i = 0; i < count; i += kLanes<C>) store(line + i, load(values + i), count - i);
  }

  template <bool kIndexed>
  void planes_pool_first(Scratch& scratch, const Band& band, int64_t first, int64_t rows) {
    const int64_t count = (band.end - band.begin) * shape_.pooled_width;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      C* line = shape_.normalizes() ? scratch.values.of(c) : scratch.pooled;
      pool_plane<kIndexed>(scratch, x_at(band.frame, c, first), band, first, rows, line);
      const int64_t at = pooled_at(band.frame, c, band.begin);
      if (!shape_.normalizes()) store_line(line, count, args_.output, at);
      if (args_.pooled != nullptr) store_line(line, count, args_.pooled, at);
      if constexpr (kIndexed) memcpy(args_.index + at, scratch.places, static_cast<size_t>(count));
    }
    for (int64_t c = 0; shape_.normalizes() && c < shape_.channels; ++c) {
      S* line = output() + pooled_at(band.frame, c, band.begin);
      normalize(lrn_, scratch.values.of(c), scratch.values.step, count, line);
    }
  }

  template <bool kIndexed>
  void planes_lrn_first(Scratch& scratch, const Band& band, int64_t first, int64_t rows) {
    const int64_t inputs = rows * shape_.width;
    const int64_t count = (band.end - band.begin) * shape_.pooled_width;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      rectify(x_at(band.frame, c, first), inputs, scratch.values.of(c));
    }
    for (int64_t c = 0; c < shape_.channels; ++c) {
      const int64_t at = pooled_at(band.frame, c, band.begin);
      if (!shape_.normalizes()) {
        store_line(scratch.values.of(c), count, args_.output, at);
      } else if (!shape_.pools()) {
        normalize(lrn_, scratch.values.of(c), scratch.values.step, count, output() + at);
      } else {
        normalize(lrn_, scratch.values.of(c), scratch.values.step, inputs, scratch.normalized);
        pool_plane<kIndexed>(scratch, scratch.normalized, band, first, rows, scratch.pooled);
        store_line(scratch.pooled, count, args_.output, at);
        if constexpr (kIndexed) memcpy(args_.index + at, scratch.places, static_cast<size_t>(count));
      }
    }
  }

  template <bool kIndexed>
  void pixels_pool_first(Scratch& scratch, const Band& band) {
    const S* frame = static_cast<const S*>(args_.x) + band.frame * plane_ * shape_.channels;
    C* line = scratch.values.first;
    for (int64_t row = band.begin; row < band.end; ++row) {
      Window window = window_at(scratch, row, shape_.width * shape_.channels);
      for (int64_t column = 0; column < shape_.pooled_width; ++column) {
        window.columns = smaller(shape_.kernel_x, shape_.width - column * shape_.stride_x);
        const S* pixel = frame + (row * shape_.stride_y * shape_.width + column * shape_.stride_x) * shape_.channels;
        const int64_t out =
            ((band.frame * shape_.pooled_height + row) * shape_.pooled_width + column) * shape_.channels;
        for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
          const int64_t count = shape_.channels - c;
          Largest<C> best = largest_in<kIndexed>(pixel + c, window, count);
          if (shape_.relu) best.rectify();
          if (shape_.normalizes()) {
            store(line + c, best.value);
            if (args_.pooled != nullptr) store(static_cast<S*>(args_.pooled) + out + c, best.value, count);
          } else {
            store(output() + out + c, best.value, count);
          }
          if constexpr (kIndexed) store_places<C>(args_.index + out + c, best.place, count);
        }
        if (shape_.normalizes()) normalize(lrn_, line, 1, shape_.channels, output() + out);
      }
    }
  }

  template <bool kIndexed>
  void pixels_lrn_first(Scratch& scratch, const Band& band, int64_t first, int64_t rows) {
    const S* pixels = static_cast<const S*>(args_.x) + (band.frame * plane_ + first * shape_.width) * shape_.channels;
    S* outputs = output() + (band.frame * pooled_plane_ + band.begin * shape_.pooled_width) * shape_.channels;
    C* line = scratch.values.first;
    for (int64_t pixel = 0; pixel < rows * shape_.width; ++pixel) {
      rectify(pixels + pixel * shape_.channels, shape_.channels, line);
      if (!shape_.normalizes()) {
        store_line(line, shape_.channels, outputs, pixel * shape_.channels);
      } else if (!shape_.pools()) {
        normalize(lrn_, line, 1, shape_.channels, outputs + pixel * shape_.channels);
      } else {
        normalize(lrn_, line, 1, padded_channels_, scratch.normalized + pixel * padded_channels_);
      }
    }
    for (int64_t row = band.begin; shape_.pools() && row < band.end; ++row) {
      Window window = window_at(scratch, row, shape_.width * padded_channels_);
      for (int64_t column = 0; column < shape_.pooled_width; ++column) {
        window.columns = smaller(shape_.kernel_x, shape_.width - column * shape_.stride_x);
        const int64_t pixel = (row * shape_.stride_y - first) * shape_.width + column * shape_.stride_x;
        const int64_t out =
            ((band.frame * shape_.pooled_height + row) * shape_.pooled_width + column) * shape_.channels;
        for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
          const int64_t count = shape_.channels - c;
          const Largest<C> best =
              largest_in<kIndexed>(scratch.normalized + pixel * padded_channels_ + c, window, kLanes<C>);
          store(output() + out + c, best.value, count);
          if constexpr (kIndexed) store_places<C>(args_.index + out + c, best.place, count);
        }
      }
    }
  }

  const ReluMaxPoolLrnForward& args_;
  const ReluMaxPoolLrnShape& shape_;
  Lrn<C> lrn_;
  int64_t input_rows_;  // that a band's windows reach
  int64_t plane_;
  int64_t pooled_plane_;
  int64_t padded_channels_;
  int64_t phase_length_;
  int64_t next_ = 0;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
