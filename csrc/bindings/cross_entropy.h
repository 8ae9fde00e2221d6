#pragma once

#include "checks.h"
#include "lrcn_fast/cross_entropy.h"

// What the bindings of every device share for the op cross_entropy: check, allocate, fill the struct in.
// The call owns the tensors that its params point into.
namespace lrcn_fast::bindings {

struct CrossEntropyCall {
  Tensor targets, losses;
  CrossEntropy params;
};

inline CrossEntropyCall cross_entropy_call(const Tensor& logits, const Tensor& targets, const Tensor& scale,
                                           std::int64_t ignore_index, bool gradient) {
  const char* op = "cross_entropy";
  check_rank(op, "logits", logits, 2, "(N, V)");
  const DType dtype = check_floating(op, "logits", logits);
  // It is written to in place, so a copy would not do.
  if (!logits.is_contiguous()) fail(op, "argument 'logits' must be contiguous, got ", describe(logits));
  const std::int64_t rows = logits.size(0);
  check_shape(op, "targets", targets, {rows}, "(N,)");
  check_dtype(op, "targets", targets, ScalarType::Long);
  check_device(op, "targets", targets, logits);
  const ScalarType compute = dtype == DType::kFloat64 ? ScalarType::Double : ScalarType::Float;
  check_shape(op, "scale", scale, {}, "()");
  check_dtype(op, "scale", scale, compute);
  check_device(op, "scale", scale, logits);
  if (logits.size(1) == 0) fail(op, "argument 'logits' must have at least one word, got ", describe(logits));

  CrossEntropyCall call{torch::stable::contiguous(targets), torch::stable::new_empty(logits, {rows}, compute), {}};
  CrossEntropy& params = call.params;
  params.dtype = dtype;
  params.rows = rows;
  params.words = logits.size(1);
  params.logits = logits.mutable_data_ptr();
  params.gradient = gradient;
  params.targets = static_cast<const std::int64_t*>(call.targets.const_data_ptr());
  params.ignore_index = ignore_index;
  params.scale = scale.const_data_ptr();
  params.losses = call.losses.mutable_data_ptr();
  return call;
}

}  // namespace lrcn_fast::bindings
