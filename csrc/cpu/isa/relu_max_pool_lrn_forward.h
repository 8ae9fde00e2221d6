#pragma once

#include "map_job.h"
#include "phases.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Bands of pooled rows. In the contiguous format a band's channels are lines of all its pixels: pooled plane by
// plane, then normalised across. Channels-last, a pixel is one line, normalised as soon as it is there.
template <class S>
class ReluMaxPoolLrnForwardJob : private MapJob<S> {
  using Base = MapJob<S>;
  using C = Compute<S>;

 public:
  ReluMaxPoolLrnForwardJob(const ReluMaxPoolLrnForward& args, int64_t threads)
      : Base(args.shape),
        bands(args.shape, args.shape.pooled_height, scratch_row(args.shape), threads),
        args_(args),
        input_rows_((bands.height - 1) * shape_.stride_y + shape_.kernel_y),
        phase_count_(smaller(shape_.stride_x, shape_.kernel_x)),
        phase_length_(round_up(shape_.pooled_width, kLanes<C>) +
                      round_up((shape_.kernel_x - 1) / shape_.stride_x, kLanes<C>)) {}

  size_t workspace_bytes() const { return static_cast<size_t>(bands.members) * Scratch(*this, nullptr).bytes; }

  void run(const Parallel& parallel) { run_members(parallel, *this); }

  void work(int64_t member) {
    const size_t bytes = Scratch(*this, nullptr).bytes;
    Scratch scratch(*this, static_cast<char*>(args_.workspace) + static_cast<size_t>(member) * bytes);
    take_bands(bands, &this->next_, [&](const Band& band) {
      if (args_.index != nullptr) {
        run_band<true>(scratch, band);
      } else {
        run_band<false>(scratch, band);
      }
    });
  }

  Bands bands;

 private:
  using Base::lrn_;
  using Base::padded_channels_;
  using Base::shape_;

  // The rows of x that a band's windows reach.
  struct InputRows {
    int64_t first, count;
  };

  struct Scratch {
    Lines<C> values;  // what LRN reads
    C* normalized;    // channels-last, LRN-first: a band's pixels; contiguous: one line
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
        offset[k] = last ? k * job.pixel_step() : k % shape.stride_x * job.phase_length_ + k / shape.stride_x;
      }
    }
  };

  static int64_t scratch_row(const ReluMaxPoolLrnShape& shape) {
    const int64_t width = shape.lrn_first ? shape.stride_y * shape.width : shape.pooled_width;
    const bool bounded = !shape.channels_last || shape.lrn_first;
    return bounded ? width * shape.channels * static_cast<int64_t>(sizeof(C)) : 0;
  }

  int64_t split_row_length() const { return phase_count_ * phase_length_; }
  // From a pixel to the next in what a channels-last window reads: x, or what LRN has made of it.
  int64_t pixel_step() const { return shape_.lrn_first ? padded_channels_ : shape_.channels; }

  S* output() const { return static_cast<S*>(args_.output); }
  const S* x() const { return static_cast<const S*>(args_.x); }

  template <bool kIndexed>
  void run_band(const Scratch& scratch, const Band& band) {
    const int64_t first = band.begin * shape_.stride_y;
    const int64_t end = smaller((band.end - 1) * shape_.stride_y + shape_.kernel_y, shape_.height);
    const InputRows rows = {first, end - first};
    if (shape_.channels_last) {
      shape_.starts_from_input() ? pixels_lrn_first<kIndexed>(scratch, band, rows)
                                 : pixels_pool_first<kIndexed>(scratch, band);
    } else {
      shape_.starts_from_input() ? planes_lrn_first<kIndexed>(scratch, band, rows)
                                 : planes_pool_first<kIndexed>(scratch, band, rows);
    }
  }

  Window window_at(const Scratch& scratch, int64_t row, int64_t row_step) const {
    return {smaller(shape_.kernel_y, shape_.height - row * shape_.stride_y), shape_.kernel_x, row_step, scratch.offset,
            shape_.kernel_x};
  }

  // A band of one channel, from its rows of x or of what LRN has made of them.
  template <bool kIndexed, class In>
  void pool_plane(const Scratch& scratch, const In* plane, const Band& band, const InputRows& rows, C* pooled) {
    const int64_t row_step = split_row_length();
    const C least = -static_cast<C>(__builtin_inf());
    for (int64_t row = 0; row < rows.count; ++row) {
      split_row(plane + row * shape_.width, shape_.width, shape_.stride_x, phase_count_, least,
                scratch.phases + row * row_step, phase_length_);
    }
    for (int64_t row = band.begin; row < band.end; ++row) {
      // Beyond a row's end lies what never wins, so all windows are whole in their columns.
      const Window window = window_at(scratch, row, row_step);
      const C* windows = scratch.phases + (row * shape_.stride_y - rows.first) * row_step;
      const int64_t line = (row - band.begin) * shape_.pooled_width;
      for (int64_t i = 0; i < shape_.pooled_width; i += kLanes<C>) {
        Largest<C> best = largest_in<kIndexed>(windows + i, window, kLanes<C>);
        if (shape_.relu && !shape_.lrn_first) best.rectify();
        store(pooled + line + i, best.value);
        if constexpr (kIndexed) store_places<C>(scratch.places + line + i, best.place, kLanes<C>);
      }
    }
  }

  template <bool kIndexed>
  void planes_pool_first(const Scratch& scratch, const Band& band, const InputRows& rows) {
    const int64_t count = (band.end - band.begin) * shape_.pooled_width;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      C* line = shape_.normalizes() ? scratch.values.of(c) : scratch.pooled;
      pool_plane<kIndexed>(scratch, x() + this->input_at(band.frame, c, rows.first), band, rows, line);
      const int64_t at = this->pooled_at(band.frame, c, band.begin);
      if (!shape_.normalizes()) this->store_line(line, count, output() + at);
      if (args_.pooled != nullptr) this->store_line(line, count, static_cast<S*>(args_.pooled) + at);
      if constexpr (kIndexed) memcpy(args_.index + at, scratch.places, static_cast<size_t>(count));
    }
    for (int64_t c = 0; shape_.normalizes() && c < shape_.channels; ++c) {
      S* line = output() + this->pooled_at(band.frame, c, band.begin);
      normalize(lrn_, scratch.values.of(c), scratch.values.step, count, line);
    }
  }

  template <bool kIndexed>
  void planes_lrn_first(const Scratch& scratch, const Band& band, const InputRows& rows) {
    const int64_t inputs = rows.count * shape_.width;
    const int64_t count = (band.end - band.begin) * shape_.pooled_width;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      this->rectify_line(x() + this->input_at(band.frame, c, rows.first), inputs, scratch.values.of(c));
    }
    for (int64_t c = 0; c < shape_.channels; ++c) {
      const int64_t at = this->pooled_at(band.frame, c, band.begin);
      if (!shape_.normalizes()) {
        this->store_line(scratch.values.of(c), count, output() + at);
      } else if (!shape_.pools()) {
        normalize(lrn_, scratch.values.of(c), scratch.values.step, count, output() + at);
      } else {
        normalize(lrn_, scratch.values.of(c), scratch.values.step, inputs, scratch.normalized);
        pool_plane<kIndexed>(scratch, scratch.normalized, band, rows, scratch.pooled);
        this->store_line(scratch.pooled, count, output() + at);
        if constexpr (kIndexed) memcpy(args_.index + at, scratch.places, static_cast<size_t>(count));
      }
    }
  }

  // take(best, channel, at) for every vector of a band's pooled pixels, with its place in the pooled maps, and
  // finish(at) after each pixel. pixels: those of the band's first row and after.
  template <bool kIndexed, class In, class Take, class Finish>
  void pool_pixels(const Scratch& scratch, const In* pixels, const Band& band, Take&& take, Finish&& finish) {
    const int64_t step = pixel_step();
    for (int64_t row = band.begin; row < band.end; ++row) {
      Window window = window_at(scratch, row, shape_.width * step);
      int64_t at = this->pooled_at(band.frame, 0, row);
      for (int64_t column = 0; column < shape_.pooled_width; ++column, at += shape_.channels) {
        window.columns = smaller(shape_.kernel_x, shape_.width - column * shape_.stride_x);
        const int64_t pixel = (row - band.begin) * shape_.stride_y * shape_.width + column * shape_.stride_x;
        for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
          Largest<C> best = largest_in<kIndexed>(pixels + pixel * step + c, window, step - c);
          take(best, c, at);
          if constexpr (kIndexed) store_places<C>(args_.index + at + c, best.place, shape_.channels - c);
        }
        finish(at);
      }
    }
  }

  template <bool kIndexed>
  void pixels_pool_first(const Scratch& scratch, const Band& band) {
    const S* pixels = x() + this->input_at(band.frame, 0, band.begin * shape_.stride_y);
    C* line = scratch.values.first;
    pool_pixels<kIndexed>(
        scratch, pixels, band,
        [&](Largest<C>& best, int64_t c, int64_t at) {
          const int64_t count = shape_.channels - c;
          if (shape_.relu) best.rectify();
          if (shape_.normalizes()) store(line + c, best.value);
          if (args_.pooled != nullptr) store(static_cast<S*>(args_.pooled) + at + c, best.value, count);
          if (!shape_.normalizes()) store(output() + at + c, best.value, count);
        },
        [&](int64_t at) {
          if (shape_.normalizes()) normalize(lrn_, line, 1, shape_.channels, output() + at);
        });
  }

  template <bool kIndexed>
  void pixels_lrn_first(const Scratch& scratch, const Band& band, const InputRows& rows) {
    const S* pixels = x() + this->input_at(band.frame, 0, rows.first);
    S* outputs = output() + this->pooled_at(band.frame, 0, band.begin);
    C* line = scratch.values.first;
    for (int64_t pixel = 0; pixel < rows.count * shape_.width; ++pixel) {
      const int64_t at = pixel * shape_.channels;
      this->rectify_line(pixels + at, shape_.channels, line);
      if (!shape_.normalizes()) {
        this->store_line(line, shape_.channels, outputs + at);
      } else if (!shape_.pools()) {
        normalize(lrn_, line, 1, shape_.channels, outputs + at);
      } else {
        normalize(lrn_, line, 1, padded_channels_, scratch.normalized + pixel * padded_channels_);
      }
    }
    if (!shape_.pools()) return;
    pool_pixels<kIndexed>(
        scratch, scratch.normalized, band,
        [&](const Largest<C>& best, int64_t c, int64_t at) {
          store(output() + at + c, best.value, shape_.channels - c);
        },
        [](int64_t) {});
  }

  const ReluMaxPoolLrnForward& args_;
  int64_t input_rows_;  // that a band's windows reach
  int64_t phase_count_;
  int64_t phase_length_;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
