#pragma once

#include <optional>
#include <tuple>

#include "checks.h"
#include "lrcn_fast/lstm.h"
#include "memory.h"

// What the bindings of every device share for the op lstm: check, allocate, fill the struct in.
// The call owns the tensors that its params point into.
namespace lrcn_fast::bindings {

using OptionalTensor = std::optional<Tensor>;

// A sequence is (T, B, width), or (B, T, width) with batch_first.
struct SequenceLayout {
  std::int64_t steps, batch;
  bool batch_first;

  std::int64_t step_stride(const Tensor& sequence) const { return sequence.stride(batch_first ? 1 : 0); }
  std::int64_t row_stride(const Tensor& sequence) const { return sequence.stride(batch_first ? 0 : 1); }
  Tensor allocate(const Tensor& like, std::int64_t width) const {
    return of_large_pages(batch_first ? torch::stable::new_empty(like, {batch, steps, width})
                                      : torch::stable::new_empty(like, {steps, batch, width}));
  }
  void check(const char* op, const char* argument, const Tensor& tensor, const Tensor& like, std::int64_t width,
             const char* letters) const {
    if (batch_first) {
      check_like(op, argument, tensor, like, {batch, steps, width}, letters);
    } else {
      check_like(op, argument, tensor, like, {steps, batch, width}, letters);
    }
  }
};

// The tensors that a call keeps alive beside those that its caller returns.
struct LstmInputs {
  Tensor weight_hh;
  OptionalTensor weight_hr, cont, lengths;
};

// gates_like is gates or activations: (T, B, 4H), it sets T, B, H, dtype and device for all other arguments.
inline LstmShape lstm_shape(const char* op, const char* argument, const Tensor& gates_like, const LstmInputs& inputs,
                            bool reverse, SequenceLayout& layout) {
  check_rank(op, argument, gates_like, 3, layout.batch_first ? "(B, T, 4H)" : "(T, B, 4H)");
  layout.steps = gates_like.size(layout.batch_first ? 1 : 0);
  layout.batch = gates_like.size(layout.batch_first ? 0 : 1);
  const std::int64_t rows = gates_like.size(2);
  if (rows % 4 != 0)
    fail(op, "argument '", argument, "' must have a multiple of 4 as its last size 4H, got ", describe(gates_like));
  LstmShape shape{};
  shape.dtype = check_floating(op, argument, gates_like);
  shape.steps = layout.steps;
  shape.batch = layout.batch;
  shape.hidden = rows / 4;
  shape.frame_step = layout.batch_first ? 1 : layout.batch;
  shape.frame_row = layout.batch_first ? layout.steps : 1;
  shape.reverse = reverse;

  if (shape.steps < 1 || shape.hidden < 1)
    fail(op, "argument '", argument, "' must have at least one step and one hidden unit, got ", describe(gates_like));

  check_rank(op, "weight_hh", inputs.weight_hh, 2, "(4H, P)");
  if (inputs.weight_hh.size(1) < 1)
    fail(op, "argument 'weight_hh' must have at least one column (4H, P), got ", describe(inputs.weight_hh));
  shape.projected = inputs.weight_hr.has_value() ? inputs.weight_hh.size(1) : shape.hidden;
  check_like(op, "weight_hh", inputs.weight_hh, gates_like, {rows, shape.projected}, "(4H, P)");
  check_optional(op, "weight_hr", inputs.weight_hr, gates_like, {shape.projected, shape.hidden}, "(P, H)");
  shape.weight_hh = inputs.weight_hh.const_data_ptr();
  shape.weight_hr = data_or_null(inputs.weight_hr);

  if (inputs.cont.has_value()) {
    const Tensor& cont = *inputs.cont;
    check_device(op, "cont", cont, gates_like);
    check_dtype(op, "cont", cont, ScalarType::Bool);
    if (layout.batch_first) {
      check_shape(op, "cont", cont, {layout.batch, layout.steps}, "(B, T)");
    } else {
      check_shape(op, "cont", cont, {layout.steps, layout.batch}, "(T, B)");
    }
    shape.cont = static_cast<const bool*>(cont.const_data_ptr());
    shape.cont_step = layout.step_stride(cont);
    shape.cont_row = layout.row_stride(cont);
  }
  if (inputs.lengths.has_value()) {
    const Tensor& lengths = *inputs.lengths;
    check_device(op, "lengths", lengths, gates_like);
    check_dtype(op, "lengths", lengths, ScalarType::Long);
    check_shape(op, "lengths", lengths, {layout.batch}, "(B,)");
    shape.lengths = static_cast<const std::int64_t*>(lengths.const_data_ptr());
  }
  return shape;
}

// Only where the lengths can be read without waiting for a device.
inline void check_lengths(const char* op, const LstmShape& shape) {
  if (shape.lengths == nullptr) return;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    if (shape.lengths[b] < 0 || shape.lengths[b] > shape.steps)
      fail(op, "argument 'lengths' must lie within 0..T = ", shape.steps, ", got ", shape.lengths[b], " for row ", b);
  }
}

inline LstmInputs lstm_inputs(const Tensor& weight_hh, const OptionalTensor& weight_hr, const OptionalTensor& cont,
                              const OptionalTensor& lengths) {
  return {torch::stable::contiguous(weight_hh), contiguous(weight_hr), cont, contiguous(lengths)};
}

// torch aligns its memory to 64 bytes on a CPU and to 512 on a GPU, which the kernels' workspaces need.
inline Tensor workspace_of(const Tensor& like, std::size_t bytes) {
  return of_large_pages(torch::stable::new_empty(like, {static_cast<std::int64_t>(bytes)}, ScalarType::Byte));
}

// Everything but the workspace, whose size the device's kernels tell.
struct LstmForwardCall {
  Tensor gates;
  LstmInputs inputs;
  SequenceLayout layout;
  LstmForward args{};
  OptionalTensor static_gates, h0, c0;
  Tensor output, h_n, c_n, cells, activations;

  LstmForwardCall(const char* op, const Tensor& gates_any, const Tensor& weight_hh, const OptionalTensor& weight_hr,
                  const OptionalTensor& static_gates_any, const OptionalTensor& h0_any, const OptionalTensor& c0_any,
                  const OptionalTensor& cont, const OptionalTensor& lengths, bool reverse, bool batch_first,
                  bool save_cells, bool save_activations)
      : gates(with_unit_last_stride(gates_any)),
        inputs(lstm_inputs(weight_hh, weight_hr, cont, lengths)),
        layout{0, 0, batch_first} {
    args.shape = lstm_shape(op, "gates", gates, inputs, reverse, layout);
    const auto [batch, hidden, projected] = std::tuple(args.shape.batch, args.shape.hidden, args.shape.projected);
    check_optional(op, "static_gates", static_gates_any, gates, {batch, 4 * hidden}, "(B, 4H)");
    check_optional(op, "h0", h0_any, gates, {batch, projected}, "(B, P)");
    check_optional(op, "c0", c0_any, gates, {batch, hidden}, "(B, H)");
    static_gates = contiguous(static_gates_any);
    h0 = contiguous(h0_any);
    c0 = contiguous(c0_any);

    output = layout.allocate(gates, projected);
    h_n = torch::stable::new_empty(gates, {batch, projected});
    c_n = torch::stable::new_empty(gates, {batch, hidden});
    cells = save_cells ? layout.allocate(gates, hidden) : torch::stable::new_empty(gates, {0});
    activations = save_activations ? layout.allocate(gates, 4 * hidden) : torch::stable::new_empty(gates, {0});

    args.gates = gates.const_data_ptr();
    args.gates_step = layout.step_stride(gates);
    args.gates_row = layout.row_stride(gates);
    args.static_gates = data_or_null(static_gates);
    args.h0 = data_or_null(h0);
    args.c0 = data_or_null(c0);
    args.output = output.mutable_data_ptr();
    args.h_n = h_n.mutable_data_ptr();
    args.c_n = c_n.mutable_data_ptr();
    args.cells = save_cells ? cells.mutable_data_ptr() : nullptr;
    args.activations = save_activations ? activations.mutable_data_ptr() : nullptr;
  }
  std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> results() const { return {output, h_n, c_n, cells, activations}; }
};

struct LstmBackwardCall {
  Tensor activations, saved_cells;
  LstmInputs inputs;
  SequenceLayout layout;
  LstmBackward args{};
  OptionalTensor grad_output, grad_cells, grad_h_n, grad_c_n, c0;
  Tensor grad_gates, grad_h0, grad_c0, grad_hidden;

  LstmBackwardCall(const char* op, const OptionalTensor& grad_output_any, const OptionalTensor& grad_h_n_any,
                   const OptionalTensor& grad_c_n_any, const OptionalTensor& grad_cells_any,
                   const Tensor& activations_any, const Tensor& cells_any, const Tensor& weight_hh,
                   const OptionalTensor& weight_hr, const OptionalTensor& c0_any, const OptionalTensor& cont,
                   const OptionalTensor& lengths, bool reverse, bool batch_first)
      : activations(torch::stable::contiguous(activations_any)),
        saved_cells(torch::stable::contiguous(cells_any)),
        inputs(lstm_inputs(weight_hh, weight_hr, cont, lengths)),
        layout{0, 0, batch_first} {
    args.shape = lstm_shape(op, "activations", activations, inputs, reverse, layout);
    const auto [batch, hidden, projected] = std::tuple(args.shape.batch, args.shape.hidden, args.shape.projected);
    const char* sequence_of_units = batch_first ? "(B, T, H)" : "(T, B, H)";
    layout.check(op, "cells", saved_cells, activations, hidden, sequence_of_units);
    if (grad_output_any.has_value())
      layout.check(op, "grad_output", *grad_output_any, activations, projected,
                   batch_first ? "(B, T, P)" : "(T, B, P)");
    if (grad_cells_any.has_value())
      layout.check(op, "grad_cells", *grad_cells_any, activations, hidden, sequence_of_units);
    check_optional(op, "grad_h_n", grad_h_n_any, activations, {batch, projected}, "(B, P)");
    check_optional(op, "grad_c_n", grad_c_n_any, activations, {batch, hidden}, "(B, H)");
    check_optional(op, "c0", c0_any, activations, {batch, hidden}, "(B, H)");
    grad_output = with_unit_last_stride(grad_output_any);
    grad_cells = with_unit_last_stride(grad_cells_any);
    grad_h_n = contiguous(grad_h_n_any);
    grad_c_n = contiguous(grad_c_n_any);
    c0 = contiguous(c0_any);

    const bool projects = inputs.weight_hr.has_value();
    grad_gates = layout.allocate(activations, 4 * hidden);
    grad_h0 = torch::stable::new_empty(activations, {batch, projected});
    grad_c0 = torch::stable::new_empty(activations, {batch, hidden});
    grad_hidden = projects ? layout.allocate(activations, projected) : torch::stable::new_empty(activations, {0});

    args.grad_output = data_or_null(grad_output);
    if (grad_output.has_value()) {
      args.grad_output_step = layout.step_stride(*grad_output);
      args.grad_output_row = layout.row_stride(*grad_output);
    }
    args.grad_cells = data_or_null(grad_cells);
    if (grad_cells.has_value()) {
      args.grad_cells_step = layout.step_stride(*grad_cells);
      args.grad_cells_row = layout.row_stride(*grad_cells);
    }
    args.grad_h_n = data_or_null(grad_h_n);
    args.grad_c_n = data_or_null(grad_c_n);
    args.activations = activations.const_data_ptr();
    args.cells = saved_cells.const_data_ptr();
    args.c0 = data_or_null(c0);
    args.grad_gates = grad_gates.mutable_data_ptr();
    args.grad_h0 = grad_h0.mutable_data_ptr();
    args.grad_c0 = grad_c0.mutable_data_ptr();
    args.grad_hidden = projects ? grad_hidden.mutable_data_ptr() : nullptr;
  }
  std::tuple<Tensor, Tensor, Tensor, Tensor> results() const { return {grad_gates, grad_h0, grad_c0, grad_hidden}; }
};

}  // namespace lrcn_fast::bindings
