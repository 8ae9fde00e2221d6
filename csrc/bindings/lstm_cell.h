#pragma once

#include <optional>

#include "checks.h"
#include "lrcn_fast/lstm_cell.h"

// What the bindings of every device share for the op lstm_cell: check, allocate, fill the struct in.
// The call owns the tensors that its params point into.
namespace lrcn_fast::bindings {

struct CellSizes {
  std::int64_t batch, hidden;
};

// `four_gates` is (B, 4H); it sets B, H, dtype and device for all other arguments.
inline CellSizes check_gates(const char* op, const char* argument, const Tensor& four_gates) {
  check_rank(op, argument, four_gates, 2, "(B, 4H)");
  if (four_gates.size(1) % 4 != 0)
    fail(op, "argument '", argument, "' must have a multiple of 4 columns (B, 4H), got ", describe(four_gates));
  return {four_gates.size(0), four_gates.size(1) / 4};
}

struct CellForwardCall {
  Tensor gates;
  std::optional<Tensor> c0;
  Tensor h, c, activations;
  LstmCellForward params;
};

inline CellForwardCall cell_forward_call(const Tensor& gates_any, const std::optional<Tensor>& c0_any) {
  const char* op = "lstm_cell_forward";
  const auto [batch, hidden] = check_gates(op, "gates", gates_any);
  const DType dtype = check_floating(op, "gates", gates_any);
  check_optional(op, "c0", c0_any, gates_any, {batch, hidden}, "(B, H)");

  CellForwardCall call{with_unit_last_stride(gates_any),
                       with_unit_last_stride(c0_any),
                       torch::stable::new_empty(gates_any, {batch, hidden}),
                       torch::stable::new_empty(gates_any, {batch, hidden}),
                       torch::stable::new_empty(gates_any, {batch, 4 * hidden}),
                       {}};
  LstmCellForward& params = call.params;
  params.dtype = dtype;
  params.batch = batch;
  params.hidden = hidden;
  params.gates = call.gates.const_data_ptr();
  params.gates_stride = call.gates.stride(0);
  params.c0 = data_or_null(call.c0);
  params.c0_stride = stride_or_zero(call.c0, 0);
  params.h = call.h.mutable_data_ptr();
  params.c = call.c.mutable_data_ptr();
  params.activations = call.activations.mutable_data_ptr();
  return call;
}

struct CellBackwardCall {
  std::optional<Tensor> grad_h, grad_c;
  Tensor activations, c;
  std::optional<Tensor> c0;
  Tensor grad_gates, grad_c0;
  LstmCellBackward params;
};

inline CellBackwardCall cell_backward_call(const std::optional<Tensor>& grad_h, const std::optional<Tensor>& grad_c,
                                           const Tensor& activations, const Tensor& c,
                                           const std::optional<Tensor>& c0) {
  const char* op = "lstm_cell_backward";
  const auto [batch, hidden] = check_gates(op, "activations", activations);
  const DType dtype = check_floating(op, "activations", activations);
  check_optional(op, "grad_h", grad_h, activations, {batch, hidden}, "(B, H)");
  check_optional(op, "grad_c", grad_c, activations, {batch, hidden}, "(B, H)");
  check_like(op, "c", c, activations, {batch, hidden}, "(B, H)");
  check_optional(op, "c0", c0, activations, {batch, hidden}, "(B, H)");

  CellBackwardCall call{with_unit_last_stride(grad_h),
                        with_unit_last_stride(grad_c),
                        with_unit_last_stride(activations),
                        with_unit_last_stride(c),
                        with_unit_last_stride(c0),
                        torch::stable::new_empty(activations, {batch, 4 * hidden}),
                        torch::stable::new_empty(activations, {batch, hidden}),
                        {}};
  LstmCellBackward& params = call.params;
  params.dtype = dtype;
  params.batch = batch;
  params.hidden = hidden;
  params.grad_h = data_or_null(call.grad_h);
  params.grad_h_stride = stride_or_zero(call.grad_h, 0);
  params.grad_c = data_or_null(call.grad_c);
  params.grad_c_stride = stride_or_zero(call.grad_c, 0);
  params.activations = call.activations.const_data_ptr();
  params.activations_stride = call.activations.stride(0);
  params.c = call.c.const_data_ptr();
  params.c_stride = call.c.stride(0);
  params.c0 = data_or_null(call.c0);
  params.c0_stride = stride_or_zero(call.c0, 0);
  params.grad_gates = call.grad_gates.mutable_data_ptr();
  params.grad_c0 = call.grad_c0.mutable_data_ptr();
  return call;
}

}  // namespace lrcn_fast::bindings
