#pragma once

#include <optional>

#include "checks.h"
#include "lrcn_fast/lstm.h"

// What the bindings of every device share for the op lstm: check, allocate, fill the struct in.
// The call owns the tensors that its params point into.
namespace lrcn_fast::bindings {

// A sequence is (T, B, width), or (B, T, width) with batch_first.
struct SequenceLayout {
  std::int64_t steps, batch;
  bool batch_first;

  std::int64_t step_stride(const Tensor& sequence) const { return sequence.stride(batch_first ? 1 : 0); }
  std::int64_t row_stride(const Tensor& sequence) const { return sequence.stride(batch_first ? 0 : 1); }
  Tensor allocate(const Tensor& like, std::int64_t width) const {
    return batch_first ? torch::stable::new_empty(like, {batch, steps, width})
                       : torch::stable::new_empty(like, {steps, batch, width});
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
  std::optional<Tensor> weight_hr, cont, lengths;
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

inline std::optional<Tensor> contiguous(const std::optional<Tensor>& tensor) {
  if (!tensor.has_value()) return std::nullopt;
  return torch::stable::contiguous(*tensor);
}

inline LstmInputs lstm_inputs(const Tensor& weight_hh, const std::optional<Tensor>& weight_hr,
                              const std::optional<Tensor>& cont, const std::optional<Tensor>& lengths) {
  return {torch::stable::contiguous(weight_hh), contiguous(weight_hr), cont, contiguous(lengths)};
}

}  // namespace lrcn_fast::bindings
