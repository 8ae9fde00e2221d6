#pragma once

#include "gate_math.h"
#include "layout.h"
#include "tile_bf16.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Phase 2s (or s without projection): hidden and cell state of step s, cut by units.
// Phase 2s + 1, with projection only: the projected state, cut by its columns.
template <class S>
class ForwardJob {
 public:
  using C = Compute<S>;
  using Term = Operand<S>;

  ForwardJob(const LstmForward& args, void* memory)
      : args_(args),
        shape_(args.shape),
        hidden_(args.shape.hidden),
        projected_(args.shape.projected),
        projects_(args.shape.weight_hr != nullptr),
        unit_panels_((hidden_ + kLanes<C> - 1) / kLanes<C>),
        projected_panels_(projects_ ? panels_for<C>(projected_) : 0),
        state_stride_(padded_depth<S>(projected_)),
        unit_stride_(padded_depth<S>(hidden_)) {
    Workspace workspace(memory);
    order_ = RowOrder::take(workspace, shape_);
    weights_ = workspace.take<Term>(unit_panels_ * panel_size<S>(projected_));
    projection_ = workspace.take<Term>(projected_panels_ * panel_size<S>(hidden_));
    state_[0] = workspace.take<Term>(shape_.batch * state_stride_);
    state_[1] = workspace.take<Term>(shape_.batch * state_stride_);
    cell_ = workspace.take<C>(shape_.batch * hidden_);
    unprojected_ = projects_ ? workspace.take<Term>(shape_.batch * unit_stride_) : nullptr;
    bytes_ = workspace.used();
  }

  size_t workspace_bytes() const { return bytes_; }

  void run(const Parallel& parallel) {
    const int64_t weight_bytes = unit_panels_ * panel_size<S>(projected_) * static_cast<int64_t>(sizeof(Term));
    cut_ = cut_for(parallel.threads, shape_.batch, unit_panels_, weight_bytes);
    deal_rows(shape_, cut_.groups, order_.row, order_.first);
    parallel.run(unit_panels_ + projected_panels_, pack, this);
    parallel.run(shape_.batch, start_rows, this);
    run_phases(parallel, cut_, shape_.steps * (projects_ ? 2 : 1), part, this);
  }

 private:
  static void pack(int64_t begin, int64_t end, void* context) {
    auto& job = *static_cast<ForwardJob*>(context);
    for (int64_t p = begin; p < end; ++p) job.pack_one(p);
  }

  // A unit panel holds the four gates of kLanes units, so that a tile ends with all that its units need.
  void pack_one(int64_t p) {
    int64_t first[kPanel], valid[kPanel];
    const bool unit_panel = p < unit_panels_;
    const int64_t index = unit_panel ? p : p - unit_panels_;
    for (int q = 0; q < kPanel; ++q) {
      int64_t column = unit_panel ? index * kLanes<C> : index * kPanelWidth<C> + q * kLanes<C>;
      first[q] = unit_panel ? q * hidden_ + column : column;
      valid[q] = (unit_panel ? hidden_ : projected_) - column;
    }
    if (unit_panel) {
      pack_transposed_panel(static_cast<const S*>(shape_.weight_hh), projected_, first, valid,
                            weights_ + index * panel_size<S>(projected_));
    } else {
      pack_transposed_panel(static_cast<const S*>(shape_.weight_hr), hidden_, first, valid,
                            projection_ + index * panel_size<S>(hidden_));
    }
  }

  // A reverse scan reaches its rows at different steps, so both halves of the state begin as h0.
  static void start_rows(int64_t begin, int64_t end, void* context) {
    auto& job = *static_cast<ForwardJob*>(context);
    for (int64_t place = begin; place < end; ++place) job.start_row(place);
  }

  void start_row(int64_t place) {
    const int64_t b = order_.row[place];
    const bool empty = length_of(shape_, b) == 0;
    const bool keep = empty || shape_.reverse || carried_into(shape_, 0, b);
    const S* h0 = static_cast<const S*>(args_.h0);
    const S* c0 = static_cast<const S*>(args_.c0);
    for (int64_t k = 0; k < projected_; k += kLanes<C>) {
      Vec<C> h = keep && h0 != nullptr ? load(h0 + b * projected_ + k, projected_ - k) : Vec<C>{};
      store(state_[0] + place * state_stride_ + k, h, projected_ - k);
      store(state_[1] + place * state_stride_ + k, h, projected_ - k);
      if (empty) store(static_cast<S*>(args_.h_n) + b * projected_ + k, h, projected_ - k);
    }
    fill_zero(state_[0] + place * state_stride_, projected_, state_stride_);
    fill_zero(state_[1] + place * state_stride_, projected_, state_stride_);
    if (projects_) fill_zero(unprojected_ + place * unit_stride_, hidden_, unit_stride_);
    for (int64_t k = 0; k < hidden_; k += kLanes<C>) {
      Vec<C> c = keep && c0 != nullptr ? load(c0 + b * hidden_ + k, hidden_ - k) : Vec<C>{};
      store(cell_ + place * hidden_ + k, c, hidden_ - k);
      if (empty) store(static_cast<S*>(args_.c_n) + b * hidden_ + k, c, hidden_ - k);
    }
  }

  static void part(void* context, int64_t group, int64_t member, int64_t phase) {
    auto& job = *static_cast<ForwardJob*>(context);
    const int64_t step = job.projects_ ? phase / 2 : phase;
    const bool projecting = job.projects_ && phase % 2 == 1;
    const int64_t panels = projecting ? job.projected_panels_ : job.unit_panels_;
    const int64_t begin = panels * member / job.cut_.members;
    const int64_t end = panels * (member + 1) / job.cut_.members;
    const int64_t t = job.shape_.reverse ? job.shape_.steps - 1 - step : step;
    const int64_t first = job.order_.first[group];
    const int64_t valid_end = job.order_.valid_end(job.shape_, group, t);
    if (projecting) {
      job.project(t, step, first, valid_end, begin, end);
    } else {
      job.advance(t, step, first, valid_end, begin, end);
    }
    for (int64_t place = valid_end; place < job.order_.first[group + 1]; ++place) {
      job.blank(t, job.order_.row[place], begin, end, projecting);
    }
  }

  void advance(int64_t t, int64_t step, int64_t first, int64_t valid_end, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const Term* panel = weights_ + p * panel_size<S>(projected_);
      for_each_tile(first, valid_end, state_[step & 1], state_stride_, [&](const TilePlaces<Term>& tile) {
        with_rows(tile.count, [&](auto rows) {
          constexpr int R = decltype(rows)::value;
          for (int r = 0; r < R; ++r) fetch_row(t, tile.place + r, p * kLanes<C>);
          Sums<C, R> sums = multiply<C, R>(tile.source, projected_, panel);
          // The rows' chains of operations overlap where they are cut in two.
          Cells cells[R];
          for (int r = 0; r < R; ++r) cells[r] = finish_cells(t, tile.place + r, p * kLanes<C>, sums.at[r]);
          for (int r = 0; r < R; ++r) finish_units(t, step, tile.place + r, p * kLanes<C>, cells[r]);
        });
      });
    }
  }

  // What finish_cells reads.
  void fetch_row(int64_t t, int64_t place, int64_t unit) const {
    const int64_t count = smaller(kLanes<C>, hidden_ - unit);
    const int64_t b = order_.row[place];
    const S* gates = static_cast<const S*>(args_.gates) + t * args_.gates_step + b * args_.gates_row + unit;
    for (int q = 0; q < kPanel; ++q) fetch(gates + q * hidden_, count);
    fetch(cell_ + place * hidden_ + unit, count);
  }

  struct Cells {
    Vec<C> cell;
    Vec<C> output_gate;
  };

  Cells finish_cells(int64_t t, int64_t place, int64_t unit, const Vec<C>* sums) {
    const int64_t b = order_.row[place];
    const int64_t frame = frame_of(shape_, t, b);
    const int64_t count = hidden_ - unit;
    const S* gates = static_cast<const S*>(args_.gates) + t * args_.gates_step + b * args_.gates_row + unit;
    Vec<C> sum[kPanel];
    for (int q = 0; q < kPanel; ++q) sum[q] = sums[q] + load(gates + q * hidden_, count);
    if (args_.static_gates != nullptr) {
      const S* static_gates = static_cast<const S*>(args_.static_gates) + b * 4 * hidden_ + unit;
      for (int q = 0; q < kPanel; ++q) sum[q] += load(static_gates + q * hidden_, count);
    }
    const Vec<C> i = GateMath<S>::sigmoid(sum[0]);
    const Vec<C> f = GateMath<S>::sigmoid(sum[1]);
    const Vec<C> g = GateMath<S>::tanh(sum[2]);
    const Vec<C> o = GateMath<S>::sigmoid(sum[3]);
    C* cell = cell_ + place * hidden_ + unit;
    const Vec<C> c = f * load(cell, count) + i * g;
    if (args_.activations != nullptr) {
      S* activations = static_cast<S*>(args_.activations) + frame * 4 * hidden_ + unit;
      store_rounded(activations, i, count);
      store_rounded(activations + hidden_, f, count);
      store_rounded(activations + 2 * hidden_, g, count);
      store_rounded(activations + 3 * hidden_, o, count);
    }
    if (args_.cells != nullptr) store_rounded(static_cast<S*>(args_.cells) + frame * hidden_ + unit, c, count);
    if (scan_ends(shape_, t, b)) store_rounded(static_cast<S*>(args_.c_n) + b * hidden_ + unit, c, count);
    store(cell, carried_out(t, b) ? c : Vec<C>{}, count);
    return {c, o};
  }

  void finish_units(int64_t t, int64_t step, int64_t place, int64_t unit, const Cells& cells) {
    const int64_t count = hidden_ - unit;
    const Vec<C> h = cells.output_gate * GateMath<S>::tanh(cells.cell);
    if (projects_) {
      store_rounded(unprojected_ + place * unit_stride_ + unit, h, count);
    } else {
      finish_state(t, step, place, unit, h, count);
    }
  }

  void project(int64_t t, int64_t step, int64_t first, int64_t valid_end, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const Term* panel = projection_ + p * panel_size<S>(hidden_);
      for_each_tile(first, valid_end, unprojected_, unit_stride_, [&](const TilePlaces<Term>& tile) {
        with_rows(tile.count, [&](auto rows) {
          constexpr int R = decltype(rows)::value;
          Sums<C, R> sums = multiply<C, R>(tile.source, hidden_, panel);
          for (int r = 0; r < R; ++r) {
            for (int q = 0; q < kPanel; ++q) {
              const int64_t column = p * kPanelWidth<C> + q * kLanes<C>;
              if (column < projected_) {
                finish_state(t, step, tile.place + r, column, sums.at[r][q], projected_ - column);
              }
            }
          }
        });
      });
    }
  }

  void finish_state(int64_t t, int64_t step, int64_t place, int64_t column, Vec<C> h, int64_t count) {
    const int64_t b = order_.row[place];
    store_rounded(static_cast<S*>(args_.output) + frame_of(shape_, t, b) * projected_ + column, h, count);
    if (scan_ends(shape_, t, b)) store_rounded(static_cast<S*>(args_.h_n) + b * projected_ + column, h, count);
    const Vec<C> carried = carried_out(t, b) ? h : Vec<C>{};
    store_carried<S>(state_[(step + 1) & 1] + place * state_stride_ + column, carried, count);
  }

  // Whether the step that follows t in the scan of row b starts from this one's state.
  bool carried_out(int64_t t, int64_t b) const {
    if (scan_ends(shape_, t, b)) return true;
    return carried_into(shape_, shape_.reverse ? t - 1 : t + 1, b);
  }

  // Past its length a row's outputs are zero.
  void blank(int64_t t, int64_t b, int64_t begin, int64_t end, bool projecting) {
    const int64_t frame = frame_of(shape_, t, b);
    S* output = static_cast<S*>(args_.output) + frame * projected_;
    if (projecting) {
      fill_zero(output, begin * kPanelWidth<C>, smaller(end * kPanelWidth<C>, projected_));
      return;
    }
    const int64_t unit = begin * kLanes<C>;
    const int64_t unit_end = smaller(end * kLanes<C>, hidden_);
    if (!projects_) fill_zero(output, unit, unit_end);
    if (args_.cells != nullptr) fill_zero(static_cast<S*>(args_.cells) + frame * hidden_, unit, unit_end);
    if (args_.activations == nullptr) return;
    S* activations = static_cast<S*>(args_.activations) + frame * 4 * hidden_;
    for (int q = 0; q < kPanel; ++q) fill_zero(activations + q * hidden_, unit, unit_end);
  }

  const LstmForward& args_;
  const LstmShape& shape_;
  const int64_t hidden_;
  const int64_t projected_;
  const bool projects_;
  const int64_t unit_panels_;
  const int64_t projected_panels_;
  const int64_t state_stride_;
  const int64_t unit_stride_;
  RowOrder order_;
  Term* weights_;      // (unit_panels, P, panel width)
  Term* projection_;   // (projected_panels, H, panel width)
  Term* state_[2];     // (B, P) by place: the carried state of even and odd steps, zero where cont cuts
  C* cell_;            // (B, H) by place
  Term* unprojected_;  // (B, H) by place
  size_t bytes_;
  Cut cut_;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
