#pragma once

#include "gate_math.h"
#include "layout.h"
#include "tile_bf16.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Walks the scan backwards. A phase forms the gradient at the state from the gate gradients of the step
// before it (a product with W_hh, cut by the columns of the state) and, in the same tile, the gate gradients
// of its own step. With projection these are two phases, because the projection mixes all columns.
// The last phase leaves the gradients at the initial state.
template <class S>
class BackwardJob {
 public:
  using C = Compute<S>;
  using Term = Operand<S>;

  BackwardJob(const LstmBackward& args, void* memory)
      : args_(args),
        shape_(args.shape),
        hidden_(args.shape.hidden),
        projected_(args.shape.projected),
        projects_(args.shape.weight_hr != nullptr),
        state_panels_(panels_for<C>(projected_)),
        unit_panels_(panels_for<C>(hidden_)),
        state_stride_(padded_depth<S>(projected_)) {
    Workspace workspace(memory);
    order_ = RowOrder::take(workspace, shape_);
    weights_ = workspace.take<Term>(state_panels_ * panel_size<S>(4 * hidden_));
    projection_ = workspace.take<Term>(projects_ ? unit_panels_ * panel_size<S>(projected_) : 0);
    grad_gates_[0] = workspace.take<Term>(shape_.batch * 4 * hidden_);
    grad_gates_[1] = workspace.take<Term>(shape_.batch * 4 * hidden_);
    grad_cell_ = workspace.take<C>(shape_.batch * hidden_);
    grad_state_ = workspace.take<Term>(projects_ ? shape_.batch * state_stride_ : 0);
    bytes_ = workspace.used();
  }

  size_t workspace_bytes() const { return bytes_; }

  void run(const Parallel& parallel) {
    const int64_t weight_bytes = state_panels_ * panel_size<S>(4 * hidden_) * static_cast<int64_t>(sizeof(Term));
    cut_ = cut_for(parallel.threads, shape_.batch, state_panels_, weight_bytes);
    deal_rows(shape_, cut_.groups, order_.row, order_.first);
    parallel.run(state_panels_ + (projects_ ? unit_panels_ : 0), pack, this);
    parallel.run(shape_.batch, start_rows, this);
    run_phases(parallel, cut_, shape_.steps * phases_per_step() + 1, part, this);
  }

 private:
  int64_t phases_per_step() const { return projects_ ? 2 : 1; }

  static void pack(int64_t begin, int64_t end, void* context) {
    auto& job = *static_cast<BackwardJob*>(context);
    for (int64_t p = begin; p < end; ++p) {
      if (p < job.state_panels_) {
        pack_panel(static_cast<const S*>(job.shape_.weight_hh), 4 * job.hidden_, job.projected_, p,
                   job.weights_ + p * panel_size<S>(4 * job.hidden_));
      } else {
        const int64_t index = p - job.state_panels_;
        pack_panel(static_cast<const S*>(job.shape_.weight_hr), job.projected_, job.hidden_, index,
                   job.projection_ + index * panel_size<S>(job.projected_));
      }
    }
  }

  // Gate gradients begin as zero: a row that is not valid yet hands nothing back.
  static void start_rows(int64_t begin, int64_t end, void* context) {
    auto& job = *static_cast<BackwardJob*>(context);
    const int64_t hidden = job.hidden_;
    for (int64_t place = begin; place < end; ++place) {
      fill_zero(job.grad_gates_[0], place * 4 * hidden, (place + 1) * 4 * hidden);
      fill_zero(job.grad_gates_[1], place * 4 * hidden, (place + 1) * 4 * hidden);
      if (job.projects_) fill_zero(job.grad_state_ + place * job.state_stride_, job.projected_, job.state_stride_);
      const S* grad_c_n = static_cast<const S*>(job.args_.grad_c_n);
      for (int64_t k = 0; k < hidden; k += kLanes<C>) {
        Vec<C> value = grad_c_n == nullptr ? Vec<C>{} : load(grad_c_n + job.order_.row[place] * hidden + k, hidden - k);
        store(job.grad_cell_ + place * hidden + k, value, hidden - k);
      }
    }
  }

  static void part(void* context, int64_t group, int64_t member, int64_t phase) {
    auto& job = *static_cast<BackwardJob*>(context);
    const LstmShape& shape = job.shape_;
    const int64_t step = phase / job.phases_per_step();
    const bool through_projection = phase % job.phases_per_step() == 1;
    const int64_t panels = through_projection ? job.unit_panels_ : job.state_panels_;
    const int64_t begin = panels * member / job.cut_.members;
    const int64_t end = panels * (member + 1) / job.cut_.members;
    const int64_t first = job.order_.first[group];
    if (step == shape.steps) return job.finish(first, job.order_.first[group + 1], member, begin, end);

    const int64_t t = shape.reverse ? step : shape.steps - 1 - step;
    const int64_t valid_end = job.order_.valid_end(shape, group, t);
    if (through_projection) {
      job.unproject(t, step, first, valid_end, begin, end);
    } else {
      job.retreat(t, step, first, valid_end, begin, end);
    }
    for (int64_t place = valid_end; place < job.order_.first[group + 1]; ++place) {
      job.blank(t, job.order_.row[place], begin, end, through_projection);
    }
  }

  void retreat(int64_t t, int64_t step, int64_t first, int64_t valid_end, int64_t begin, int64_t end) {
    const int64_t depth = step == 0 ? 0 : 4 * hidden_;
    for (int64_t p = begin; p < end; ++p) {
      const Term* panel = weights_ + p * panel_size<S>(4 * hidden_);
      for_each_tile(first, valid_end, grad_gates_[step & 1], 4 * hidden_, [&](const TilePlaces<Term>& tile) {
        with_rows(tile.count, [&](auto rows) {
          constexpr int R = decltype(rows)::value;
          for (int r = 0; r < R; ++r) fetch_row(t, tile.place + r, p * kPanelWidth<C>);
          Sums<C, R> sums = multiply<C, R>(tile.source, depth, panel);
          for_each_vector<R>(tile, p, projected_, sums, [&](int64_t place, int64_t column, Vec<C> sum) {
            finish_state(t, step, place, column, sum);
          });
        });
      });
    }
  }

  void unproject(int64_t t, int64_t step, int64_t first, int64_t valid_end, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const Term* panel = projection_ + p * panel_size<S>(projected_);
      for_each_tile(first, valid_end, grad_state_, state_stride_, [&](const TilePlaces<Term>& tile) {
        with_rows(tile.count, [&](auto rows) {
          constexpr int R = decltype(rows)::value;
          for (int r = 0; r < R; ++r) fetch_units(t, tile.place + r, p * kPanelWidth<C>);
          Sums<C, R> sums = multiply<C, R>(tile.source, projected_, panel);
          for_each_vector<R>(tile, p, hidden_, sums,
                             [&](int64_t place, int64_t unit, Vec<C> sum) { finish_units(t, step, place, unit, sum); });
        });
      });
    }
  }

  template <int R, class Visitor>
  static void for_each_vector(const TilePlaces<Term>& tile, int64_t p, int64_t columns, const Sums<C, R>& sums,
                              Visitor&& visit) {
    for (int r = 0; r < R; ++r) {
      for (int q = 0; q < kPanel; ++q) {
        const int64_t column = p * kPanelWidth<C> + q * kLanes<C>;
        if (column < columns) visit(tile.place + r, column, sums.at[r][q]);
      }
    }
  }

  // What finish_state reads, of a panel's columns.
  void fetch_row(int64_t t, int64_t place, int64_t column) const {
    const int64_t b = order_.row[place];
    if (args_.grad_output != nullptr) {
      fetch(static_cast<const S*>(args_.grad_output) + t * args_.grad_output_step + b * args_.grad_output_row + column,
            smaller(kPanelWidth<C>, projected_ - column));
    }
    if (!projects_) fetch_units(t, place, column);
  }

  // What finish_units reads.
  void fetch_units(int64_t t, int64_t place, int64_t unit) const {
    const int64_t count = smaller(kPanelWidth<C>, hidden_ - unit);
    const int64_t b = order_.row[place];
    const int64_t frame = frame_of(shape_, t, b);
    for (int q = 0; q < kPanel; ++q) {
      fetch(static_cast<const S*>(args_.activations) + (frame * 4 + q) * hidden_ + unit, count);
    }
    fetch(static_cast<const S*>(args_.cells) + frame * hidden_ + unit, count);
    if (!scan_begins(shape_, t, b)) {
      fetch(static_cast<const S*>(args_.cells) + frame_before(t, b) * hidden_ + unit, count);
    }
    fetch(grad_cell_ + place * hidden_ + unit, count);
  }

  // Of the step that the scan came from.
  int64_t frame_before(int64_t t, int64_t b) const { return frame_of(shape_, shape_.reverse ? t + 1 : t - 1, b); }

  // grad: what reached the state of step t from the step after it.
  void finish_state(int64_t t, int64_t step, int64_t place, int64_t column, Vec<C> grad) {
    const int64_t b = order_.row[place];
    const int64_t count = projected_ - column;
    if (args_.grad_output != nullptr) {
      grad += load(
          static_cast<const S*>(args_.grad_output) + t * args_.grad_output_step + b * args_.grad_output_row + column,
          count);
    }
    if (args_.grad_h_n != nullptr && scan_ends(shape_, t, b)) {
      grad += load(static_cast<const S*>(args_.grad_h_n) + b * projected_ + column, count);
    }
    if (!projects_) return finish_units(t, step, place, column, grad);
    store_rounded(grad_state_ + place * state_stride_ + column, grad, count);
    store_rounded(static_cast<S*>(args_.grad_hidden) + frame_of(shape_, t, b) * projected_ + column, grad, count);
  }

  void finish_units(int64_t t, int64_t step, int64_t place, int64_t unit, Vec<C> grad_h) {
    const int64_t b = order_.row[place];
    const int64_t frame = frame_of(shape_, t, b);
    const int64_t count = hidden_ - unit;
    const S* activations = static_cast<const S*>(args_.activations) + frame * 4 * hidden_ + unit;
    const Vec<C> i = load(activations, count);
    const Vec<C> f = load(activations + hidden_, count);
    const Vec<C> g = load(activations + 2 * hidden_, count);
    const Vec<C> o = load(activations + 3 * hidden_, count);
    const Vec<C> tanh_c = GateMath<S>::tanh(load(static_cast<const S*>(args_.cells) + frame * hidden_ + unit, count));
    const bool carried = carried_into(shape_, t, b);
    const Vec<C> c_prev = carried ? previous_cell(t, b, unit, count) : Vec<C>{};

    C* grad_cell = grad_cell_ + place * hidden_ + unit;
    Vec<C> grad_c = load(grad_cell, count) + grad_h * o * (1 - tanh_c * tanh_c);
    if (args_.grad_cells != nullptr) {
      grad_c += load(
          static_cast<const S*>(args_.grad_cells) + t * args_.grad_cells_step + b * args_.grad_cells_row + unit, count);
    }
    const Vec<C> grads[kPanel] = {grad_c * g * i * (1 - i), grad_c * c_prev * f * (1 - f), grad_c * i * (1 - g * g),
                                  grad_h * tanh_c * o * (1 - o)};
    S* grad_gates = static_cast<S*>(args_.grad_gates) + frame * 4 * hidden_ + unit;
    Term* handed_back = grad_gates_[(step + 1) & 1] + place * 4 * hidden_ + unit;
    for (int q = 0; q < kPanel; ++q) {
      store_rounded(grad_gates + q * hidden_, grads[q], count);
      store_rounded(handed_back + q * hidden_, carried ? grads[q] : Vec<C>{}, count);
    }
    store(grad_cell, carried ? grad_c * f : Vec<C>{}, count);
  }

  Vec<C> previous_cell(int64_t t, int64_t b, int64_t unit, int64_t count) const {
    if (!scan_begins(shape_, t, b)) {
      return load(static_cast<const S*>(args_.cells) + frame_before(t, b) * hidden_ + unit, count);
    }
    return args_.c0 == nullptr ? Vec<C>{} : load(static_cast<const S*>(args_.c0) + b * hidden_ + unit, count);
  }

  // A row's last gate gradients lie where its last step wrote them: in the same half for all rows of a
  // forward scan, by length for a reverse one.
  void finish(int64_t first, int64_t end_place, int64_t member, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const Term* panel = weights_ + p * panel_size<S>(4 * hidden_);
      for_each_tile(first, end_place, grad_gates_[0], 4 * hidden_, [&](TilePlaces<Term> tile) {
        for (int r = 0; r < tile.count; ++r) {
          const int64_t place = tile.place + r;
          const int64_t steps = shape_.reverse ? length_of(shape_, order_.row[place]) : shape_.steps;
          tile.source[r] = grad_gates_[steps & 1] + place * 4 * hidden_;
        }
        with_rows(tile.count, [&](auto rows) {
          constexpr int R = decltype(rows)::value;
          Sums<C, R> sums = multiply<C, R>(tile.source, 4 * hidden_, panel);
          for_each_vector<R>(tile, p, projected_, sums, [&](int64_t place, int64_t column, Vec<C> grad) {
            const int64_t b = order_.row[place];
            const int64_t count = projected_ - column;
            if (args_.grad_h_n != nullptr && length_of(shape_, b) == 0) {
              grad += load(static_cast<const S*>(args_.grad_h_n) + b * projected_ + column, count);
            }
            store(static_cast<S*>(args_.grad_h0) + b * projected_ + column, grad, count);
          });
        });
      });
    }
    // Cell gradients were left by whoever owned their units, and the barrier before this phase shows them to all.
    for (int64_t place = first + member; place < end_place; place += cut_.members) {
      for (int64_t unit = 0; unit < hidden_; unit += kLanes<C>) {
        Vec<C> grad = load(grad_cell_ + place * hidden_ + unit, hidden_ - unit);
        store(static_cast<S*>(args_.grad_c0) + order_.row[place] * hidden_ + unit, grad, hidden_ - unit);
      }
    }
  }

  // Past its length a row has no part in anything.
  void blank(int64_t t, int64_t b, int64_t begin, int64_t end, bool through_projection) {
    const int64_t frame = frame_of(shape_, t, b);
    if (!through_projection && projects_) {
      fill_zero(static_cast<S*>(args_.grad_hidden) + frame * projected_, begin * kPanelWidth<C>,
                smaller(end * kPanelWidth<C>, projected_));
      return;
    }
    S* grad_gates = static_cast<S*>(args_.grad_gates) + frame * 4 * hidden_;
    for (int q = 0; q < kPanel; ++q) {
      fill_zero(grad_gates + q * hidden_, begin * kPanelWidth<C>, smaller(end * kPanelWidth<C>, hidden_));
    }
  }

  const LstmBackward& args_;
  const LstmShape& shape_;
  const int64_t hidden_;
  const int64_t projected_;
  const bool projects_;
  const int64_t state_panels_;
  const int64_t unit_panels_;
  const int64_t state_stride_;
  RowOrder order_;
  Term* weights_;        // (state_panels, 4H, panel width): W_hh itself, its rows are the depth
  Term* projection_;     // (unit_panels, P, panel width)
  Term* grad_gates_[2];  // (B, 4H) by place: handed back to even and odd steps, zero where cont cuts
  C* grad_cell_;         // (B, H) by place
  Term* grad_state_;     // (B, P) by place
  size_t bytes_;
  Cut cut_;
};

}  // namespace lrcn_fast::cpu::LRCN_ISA
