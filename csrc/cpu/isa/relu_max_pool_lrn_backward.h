#pragma once

#include "map_job.h"
#include "phases.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Bands of rows of x. Every element gathers from the windows that hold it, in their order, so the sum does not
// depend on how the rows are cut.
template <class S>
class ReluMaxPoolLrnBackwardJob : private MapJob<S> {
  using Base = MapJob<S>;
  using C = Compute<S>;

 public:
  ReluMaxPoolLrnBackwardJob(const ReluMaxPoolLrnBackward& args, int64_t threads)
      : Base(args.shape),
        bands(args.shape, args.shape.height, scratch_row(args.shape), threads),
        args_(args),
        pooled_rows_(smaller((bands.height + shape_.kernel_y - 2) / shape_.stride_y + 1, shape_.pooled_height)),
        phase_length_(round_up((shape_.width + shape_.stride_x - 1) / shape_.stride_x, kLanes<C>)),
        reach_((shape_.kernel_x - 1) / shape_.stride_x) {}

  size_t workspace_bytes() const { return static_cast<size_t>(bands.members) * Scratch(*this, nullptr).bytes; }

  void run(const Parallel& parallel) { run_members(parallel, *this); }

  void work(int64_t member) {
    const size_t bytes = Scratch(*this, nullptr).bytes;
    Scratch scratch(*this, static_cast<char*>(args_.workspace) + static_cast<size_t>(member) * bytes);
    take_bands(bands, &this->next_, [&](const Band& band) {
      const PooledRows pooled = pooled_rows(band);
      if (shape_.channels_last) {
        shape_.starts_from_input() ? pixels_to_input(scratch, band) : pixels_to_pooled(scratch, band, pooled);
      } else {
        shape_.starts_from_input() ? planes_to_input(scratch, band, pooled) : planes_to_pooled(scratch, band, pooled);
      }
    });
  }

  Bands bands;

 private:
  using Base::lrn_;
  using Base::padded_channels_;
  using Base::plane_;
  using Base::pooled_plane_;
  using Base::shape_;

  // Those whose windows reach into a band.
  struct PooledRows {
    int64_t begin, end;
  };

  struct Scratch {
    Lines<C> values;  // what LRN read in the forward
    Lines<C> spread;
    C* sent;             // gradient at the pooled values; in lines, or channels-last by pixels
    C* kept;             // gradient at what LRN read, in lines
    BitsVec<C>* places;  // contiguous: one channel's index
    size_t bytes;

    Scratch(const ReluMaxPoolLrnBackwardJob& job, void* memory) {
      const ReluMaxPoolLrnShape& shape = job.shape_;
      const bool last = shape.channels_last;
      const int64_t pooled = job.pooled_rows_ * shape.pooled_width;
      const int64_t line = job.line_length();
      Workspace workspace(memory);
      values = Lines<C>::take(workspace, shape.channels, last ? 1 : line, job.lrn_.around);
      spread = Lines<C>::take(workspace, shape.channels, last ? 1 : line, job.lrn_.around);
      // Windows before a row's first begin in the elements before it: their index says that they aren't there.
      sent =
          workspace.take<C>(last ? pooled * job.padded_channels_ : job.reach_ + pooled + job.phase_length_ + kLanes<C>);
      kept = workspace.take<C>((last ? 1 : shape.channels) * (last ? job.padded_channels_ : line));
      places = workspace.take<BitsVec<C>>(last ? 0 : job.pooled_rows_ * job.place_row() / kLanes<C>);
      bytes = workspace.used();
    }
  };

  static int64_t scratch_row(const ReluMaxPoolLrnShape& shape) {
    const int64_t input = shape.channels_last ? 0 : shape.width;
    const int64_t pooled = (shape.pooled_width + shape.stride_y - 1) / shape.stride_y;
    return (shape.starts_from_input() ? input : pooled) * shape.channels * static_cast<int64_t>(sizeof(C));
  }

  int64_t line_length() const {
    const int64_t input = bands.height * shape_.width, pooled = pooled_rows_ * shape_.pooled_width;
    return round_up((shape_.starts_from_input() ? input : pooled) + 2 * kLanes<C>, kLanes<C>);
  }
  int64_t place_row() const { return round_up(reach_, kLanes<C>) + phase_length_ + kLanes<C>; }

  PooledRows pooled_rows(const Band& band) const {
    return {first_window(band.begin, shape_.kernel_y, shape_.stride_y),
            end_window(band.end - 1, shape_.stride_y, shape_.pooled_height)};
  }
  // The windows that hold a row or column are those from first to end.
  static int64_t first_window(int64_t at, int64_t kernel, int64_t stride) {
    return at < kernel ? 0 : (at - kernel) / stride + 1;
  }
  static int64_t end_window(int64_t at, int64_t stride, int64_t count) { return smaller(at / stride + 1, count); }

  const S* grad() const { return static_cast<const S*>(args_.grad); }
  const S* values() const { return static_cast<const S*>(args_.values); }
  S* grad_x() const { return static_cast<S*>(args_.grad_x); }

  // The rows of a band of one plane from the gradients `sent` of its pooled rows.
  template <class Out>
  void unpool_plane(const Scratch& scratch, const C* sent, const uint8_t* index, const PooledRows& pooled,
                    const Band& band, Out* rows) {
    const int64_t margin = round_up(reach_, kLanes<C>);
    auto* places = reinterpret_cast<typename VectorOf<C>::Bits*>(scratch.places);
    for (int64_t row = 0; row < pooled.end - pooled.begin; ++row) {
      for (int64_t i = -margin; i + margin + kLanes<C> <= place_row(); i += kLanes<C>) {
        const int64_t count = shape_.pooled_width - i;
        const bool inside = i >= 0 && count > 0;
        const BitsVec<C> found =
            inside ? load_places<C>(index + row * shape_.pooled_width + i, count) : all_places<C>(kBlockedPlace);
        memcpy(places + row * place_row() + margin + i, &found, sizeof(found));
      }
    }
    for (int64_t y = band.begin; y < band.end; ++y) {
      Out* target = rows + (y - band.begin) * shape_.width;
      const int64_t begin = first_window(y, shape_.kernel_y, shape_.stride_y);
      const int64_t end = end_window(y, shape_.stride_y, shape_.pooled_height);
      for (int64_t i = 0; i * shape_.stride_x < shape_.width; i += kLanes<C>) {
        join_phases(i, shape_.stride_x, target, shape_.width, [&](int64_t phase) {
          Vec<C> sum = {};
          for (int64_t window = begin; window < end; ++window) {
            const int64_t row = window - pooled.begin;
            const int64_t first_place = (y - window * shape_.stride_y) * shape_.kernel_x;
            // The windows that hold these columns, from the leftmost on.
            for (int64_t back = reach_; back >= 0; --back) {
              const int64_t place = phase + back * shape_.stride_x;
              if (place >= shape_.kernel_x) continue;
              BitsVec<C> found;
              memcpy(&found, places + row * place_row() + margin + i - back, sizeof(found));
              const Vec<C> value = load(sent + row * shape_.pooled_width + i - back);
              sum += found == all_places<C>(first_place + place) ? value : Vec<C>{};
            }
          }
          return sum;
        });
      }
    }
  }

  void planes_to_pooled(const Scratch& scratch, const Band& band, const PooledRows& pooled) {
    const int64_t count = (pooled.end - pooled.begin) * shape_.pooled_width;
    const int64_t step = scratch.values.step;
    C* kept = scratch.kept;
    if (shape_.normalizes()) {
      for (int64_t c = 0; c < shape_.channels; ++c) {
        this->load_line(values() + this->pooled_at(band.frame, c, pooled.begin), count, scratch.values.of(c));
      }
      for (int64_t c = 0; c < shape_.channels; ++c) {
        normalize_backward_at(lrn_, scratch.values.of(c), step, count,
                              grad() + this->pooled_at(band.frame, c, pooled.begin), kept + c * step,
                              scratch.spread.of(c));
      }
    }
    C* sent = scratch.sent + reach_;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      const int64_t at = this->pooled_at(band.frame, c, pooled.begin);
      if (shape_.normalizes()) {
        for (int64_t i = 0; i < count; i += kLanes<C>) {
          store(sent + i,
                normalize_backward_around(lrn_, scratch.values.of(c), step, kept + c * step, scratch.spread.of(c), i));
        }
      } else {
        this->load_line(grad() + at, count, sent);
      }
      unpool_plane(scratch, sent, args_.index + at, pooled, band, grad_x() + this->input_at(band.frame, c, band.begin));
    }
  }

  void planes_to_input(const Scratch& scratch, const Band& band, const PooledRows& pooled) {
    const int64_t count = (band.end - band.begin) * shape_.width;
    const int64_t step = scratch.values.step;
    for (int64_t c = 0; c < shape_.channels; ++c) {
      C* kept = scratch.kept + c * step;
      const int64_t at = this->pooled_at(band.frame, c, pooled.begin);
      if (shape_.pools()) {
        C* sent = scratch.sent + reach_;
        this->load_line(grad() + at, (pooled.end - pooled.begin) * shape_.pooled_width, sent);
        unpool_plane(scratch, sent, args_.index + at, pooled, band, kept);
      } else {
        this->load_line(grad() + at, count, kept);
      }
      this->rectify_line(values() + this->input_at(band.frame, c, band.begin), count, scratch.values.of(c));
    }
    for (int64_t c = 0; shape_.normalizes() && c < shape_.channels; ++c) {
      C* kept = scratch.kept + c * step;
      normalize_backward_at(lrn_, scratch.values.of(c), step, count, kept, kept, scratch.spread.of(c));
    }
    for (int64_t c = 0; c < shape_.channels; ++c) {
      finish_line(scratch.values.of(c), step, scratch.kept + c * step, scratch.spread.of(c), count,
                  grad_x() + this->input_at(band.frame, c, band.begin));
    }
  }

  void finish_line(const C* values, int64_t step, const C* kept, const C* spread, int64_t count, S* target) const {
    for (int64_t i = 0; i < count; i += kLanes<C>) {
      Vec<C> found =
          shape_.normalizes() ? normalize_backward_around(lrn_, values, step, kept, spread, i) : load(kept + i);
      if (shape_.relu) found = load(values + i) <= 0 ? Vec<C>{} : found;
      store(target + i, found, count - i);
    }
  }

  // The windows that hold a pixel, in their order.
  struct Covers {
    int64_t count;
    int64_t pixel[kBlockedPlace];  // pooled
    int64_t place[kBlockedPlace];
  };

  void find_covers(int64_t y, int64_t x, Covers* covers) const {
    covers->count = 0;
    const int64_t end_y = end_window(y, shape_.stride_y, shape_.pooled_height);
    const int64_t end_x = end_window(x, shape_.stride_x, shape_.pooled_width);
    for (int64_t row = first_window(y, shape_.kernel_y, shape_.stride_y); row < end_y; ++row) {
      for (int64_t column = first_window(x, shape_.kernel_x, shape_.stride_x); column < end_x; ++column) {
        const int64_t n = covers->count++;
        covers->pixel[n] = row * shape_.pooled_width + column;
        covers->place[n] = (y - row * shape_.stride_y) * shape_.kernel_x + x - column * shape_.stride_x;
      }
    }
  }

  // sent: gradients from the pooled pixel `first` on, `step` apart; index: from the frame's first pixel on.
  template <class In>
  Vec<C> gather(const Covers& covers, const In* sent, int64_t first, int64_t step, const uint8_t* index,
                int64_t count) const {
    Vec<C> sum = {};
    for (int64_t n = 0; n < covers.count; ++n) {
      const BitsVec<C> found = load_places<C>(index + covers.pixel[n] * shape_.channels, count);
      const Vec<C> value = load(sent + (covers.pixel[n] - first) * step, count);
      sum += found == all_places<C>(covers.place[n]) ? value : Vec<C>{};
    }
    return sum;
  }

  void pixels_to_pooled(const Scratch& scratch, const Band& band, const PooledRows& pooled) {
    const int64_t frame = band.frame * pooled_plane_ * shape_.channels;
    const int64_t first = pooled.begin * shape_.pooled_width, end = pooled.end * shape_.pooled_width;
    for (int64_t pixel = first; pixel < end; ++pixel) {
      const int64_t at = frame + pixel * shape_.channels;
      C* sent = scratch.sent + (pixel - first) * padded_channels_;
      if (!shape_.normalizes()) {
        this->load_line(grad() + at, shape_.channels, sent);
        continue;
      }
      this->load_line(values() + at, shape_.channels, scratch.values.first);
      normalize_backward_at(lrn_, scratch.values.first, 1, shape_.channels, grad() + at, sent, scratch.spread.first);
      for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
        store(sent + c, normalize_backward_around(lrn_, scratch.values.first, 1, sent, scratch.spread.first, c));
      }
    }
    Covers covers;
    for (int64_t y = band.begin; y < band.end; ++y) {
      for (int64_t x = 0; x < shape_.width; ++x) {
        find_covers(y, x, &covers);
        S* target = grad_x() + (band.frame * plane_ + y * shape_.width + x) * shape_.channels;
        for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
          const int64_t count = shape_.channels - c;
          const uint8_t* index = args_.index + frame + c;
          store(target + c, gather(covers, scratch.sent + c, first, padded_channels_, index, count), count);
        }
      }
    }
  }

  void pixels_to_input(const Scratch& scratch, const Band& band) {
    const int64_t frame = band.frame * pooled_plane_ * shape_.channels;
    Covers covers;
    for (int64_t y = band.begin; y < band.end; ++y) {
      for (int64_t x = 0; x < shape_.width; ++x) {
        const int64_t at = (band.frame * plane_ + y * shape_.width + x) * shape_.channels;
        if (shape_.pools()) {
          find_covers(y, x, &covers);
          for (int64_t c = 0; c < shape_.channels; c += kLanes<C>) {
            const int64_t count = shape_.channels - c;
            const uint8_t* index = args_.index + frame + c;
            store(scratch.kept + c, gather(covers, grad() + frame + c, 0, shape_.channels, index, count));
          }
        } else {
          this->load_line(grad() + at, shape_.channels, scratch.kept);
        }
        this->rectify_line(values() + at, shape_.channels, scratch.values.first);
        if (shape_.normalizes()) {
          normalize_backward_at(lrn_, scratch.values.first, 1, shape_.channels, scratch.kept, scratch.kept,
                                scratch.spread.first);
        }
        finish_line(scratch.values.first, 1, scratch.kept, scratch.spread.first, shape_.channels, grad_x() + at);
      }
    }
  }

  const ReluMaxPoolLrnBackward& args_;
  int64_t pooled_rows_;  // whose windows can reach into a band
  int64_t phase_length_;
  int64_t reach_;  // windows before the one at a column of a phase that hold it too
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
