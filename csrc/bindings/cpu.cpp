#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>

#include "lstm.h"
#include "lstm_cell.h"

namespace lrcn_fast::bindings {
namespace {

using OptionalTensor = std::optional<Tensor>;

Parallel torch_threads() {
  Parallel parallel;
  parallel.threads = torch::stable::get_num_threads();
  parallel.run = [](std::int64_t n, Parallel::Body body, void* context) {
    STABLE_TORCH_ERROR_CODE_CHECK(torch_parallel_for(0, n, 1, body, context));
  };
  return parallel;
}

// torch aligns its CPU memory to 64 bytes, which the kernels' workspaces need.
Tensor workspace_of(const Tensor& like, std::size_t bytes) {
  return torch::stable::new_empty(like, {static_cast<std::int64_t>(bytes)}, ScalarType::Byte);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_forward(
    const Tensor& gates_any, const Tensor& weight_hh, const OptionalTensor& weight_hr,
    const OptionalTensor& static_gates_any, const OptionalTensor& h0_any, const OptionalTensor& c0_any,
    const OptionalTensor& cont, const OptionalTensor& lengths, bool reverse, bool batch_first, bool save_cells,
    bool save_activations) {
  const char* op = "lstm_forward";
  const Tensor gates = with_unit_last_stride(gates_any);
  const LstmInputs inputs = lstm_inputs(weight_hh, weight_hr, cont, lengths);
  SequenceLayout layout{0, 0, batch_first};
  LstmForward args{};
  args.shape = lstm_shape(op, "gates", gates, inputs, reverse, layout);
  check_lengths(op, args.shape);
  const auto [steps, batch, hidden, projected] =
      std::tuple(args.shape.steps, args.shape.batch, args.shape.hidden, args.shape.projected);
  check_optional(op, "static_gates", static_gates_any, gates, {batch, 4 * hidden}, "(B, 4H)");
  check_optional(op, "h0", h0_any, gates, {batch, projected}, "(B, P)");
  check_optional(op, "c0", c0_any, gates, {batch, hidden}, "(B, H)");
  const OptionalTensor static_gates = contiguous(static_gates_any);
  const OptionalTensor h0 = contiguous(h0_any);
  const OptionalTensor c0 = contiguous(c0_any);

  Tensor output = layout.allocate(gates, projected);
  Tensor h_n = torch::stable::new_empty(gates, {batch, projected});
  Tensor c_n = torch::stable::new_empty(gates, {batch, hidden});
  Tensor cells = save_cells ? layout.allocate(gates, hidden) : torch::stable::new_empty(gates, {0});
  Tensor activations = save_activations ? layout.allocate(gates, 4 * hidden) : torch::stable::new_empty(gates, {0});
  const Tensor workspace = workspace_of(gates, lstm_forward_workspace_cpu(args.shape));

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
  args.workspace = workspace.mutable_data_ptr();
  lstm_forward_cpu(args, torch_threads());
  return {output, h_n, c_n, cells, activations};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> lstm_backward(
    const OptionalTensor& grad_output_any, const OptionalTensor& grad_h_n_any, const OptionalTensor& grad_c_n_any,
    const OptionalTensor& grad_cells_any, const Tensor& activations_any, const Tensor& cells_any,
    const Tensor& weight_hh, const OptionalTensor& weight_hr, const OptionalTensor& c0_any, const OptionalTensor& cont,
    const OptionalTensor& lengths, bool reverse, bool batch_first) {
  const char* op = "lstm_backward";
  const Tensor activations = torch::stable::contiguous(activations_any);
  const Tensor cells = torch::stable::contiguous(cells_any);
  const LstmInputs inputs = lstm_inputs(weight_hh, weight_hr, cont, lengths);
  SequenceLayout layout{0, 0, batch_first};
  LstmBackward args{};
  args.shape = lstm_shape(op, "activations", activations, inputs, reverse, layout);
  check_lengths(op, args.shape);
  const auto [steps, batch, hidden, projected] =
      std::tuple(args.shape.steps, args.shape.batch, args.shape.hidden, args.shape.projected);
  layout.check(op, "cells", cells, activations, hidden, batch_first ? "(B, T, H)" : "(T, B, H)");
  if (grad_output_any.has_value())
    layout.check(op, "grad_output", *grad_output_any, activations, projected, batch_first ? "(B, T, P)" : "(T, B, P)");
  if (grad_cells_any.has_value())
    layout.check(op, "grad_cells", *grad_cells_any, activations, hidden, batch_first ? "(B, T, H)" : "(T, B, H)");
  check_optional(op, "grad_h_n", grad_h_n_any, activations, {batch, projected}, "(B, P)");
  check_optional(op, "grad_c_n", grad_c_n_any, activations, {batch, hidden}, "(B, H)");
  check_optional(op, "c0", c0_any, activations, {batch, hidden}, "(B, H)");
  const OptionalTensor grad_output = with_unit_last_stride(grad_output_any);
  const OptionalTensor grad_cells = with_unit_last_stride(grad_cells_any);
  const OptionalTensor grad_h_n = contiguous(grad_h_n_any);
  const OptionalTensor grad_c_n = contiguous(grad_c_n_any);
  const OptionalTensor c0 = contiguous(c0_any);

  const bool projects = weight_hr.has_value();
  Tensor grad_gates = layout.allocate(activations, 4 * hidden);
  Tensor grad_h0 = torch::stable::new_empty(activations, {batch, projected});
  Tensor grad_c0 = torch::stable::new_empty(activations, {batch, hidden});
  Tensor grad_hidden = projects ? layout.allocate(activations, projected) : torch::stable::new_empty(activations, {0});
  const Tensor workspace = workspace_of(activations, lstm_backward_workspace_cpu(args.shape));

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
  args.cells = cells.const_data_ptr();
  args.c0 = data_or_null(c0);
  args.grad_gates = grad_gates.mutable_data_ptr();
  args.grad_h0 = grad_h0.mutable_data_ptr();
  args.grad_c0 = grad_c0.mutable_data_ptr();
  args.grad_hidden = projects ? grad_hidden.mutable_data_ptr() : nullptr;
  args.workspace = workspace.mutable_data_ptr();
  lstm_backward_cpu(args, torch_threads());
  return {grad_gates, grad_h0, grad_c0, grad_hidden};
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell_forward(const Tensor& gates, const OptionalTensor& c0) {
  CellForwardCall call = cell_forward_call(gates, c0);
  lstm_cell_forward_cpu(call.params, torch_threads());
  return {call.h, call.c, call.activations};
}

std::tuple<Tensor, Tensor> lstm_cell_backward(const OptionalTensor& grad_h, const OptionalTensor& grad_c,
                                              const Tensor& activations, const Tensor& c, const OptionalTensor& c0) {
  CellBackwardCall call = cell_backward_call(grad_h, grad_c, activations, c, c0);
  lstm_cell_backward_cpu(call.params, torch_threads());
  return {call.grad_gates, call.grad_c0};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CPU, m) {
  m.impl("lstm_forward", TORCH_BOX(&lstm_forward));
  m.impl("lstm_backward", TORCH_BOX(&lstm_backward));
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
}

}  // namespace lrcn_fast::bindings
