#pragma once

#include <algorithm>

#include "checks.h"
#include "lrcn_fast/relu_max_pool_lrn.h"

// What the bindings of every device share for the op relu_max_pool_lrn: check, allocate, fill the struct in.
// The calls own the tensors that their args point into.
namespace lrcn_fast::bindings {

// The options in the order of the schema.
struct ReluMaxPoolLrnOptions {
  bool relu;
  std::int64_t kernel_y, kernel_x, stride_y, stride_x;
  bool ceil_mode;
  std::int64_t lrn_size;
  double alpha, beta, k;
  bool lrn_first;
};

// Neighbouring channels are what says channels-last, as in memory_format() of the reference.
inline bool is_channels_last(const Tensor& map) { return map.stride(1) == 1 && map.stride(3) != 1; }

inline Tensor swapped(const Tensor& map, std::int64_t a, std::int64_t b) { return torch::stable::transpose(map, a, b); }

// (N, C, Y, X), or its channels-last view (N, Y, X, C), without gaps.
inline Tensor dense(const Tensor& map, bool channels_last) {
  return torch::stable::contiguous(channels_last ? swapped(swapped(map, 1, 2), 2, 3) : map);
}

inline Tensor new_map(const Tensor& like, std::int64_t frames, std::int64_t channels, std::int64_t height,
                      std::int64_t width, bool channels_last, std::optional<ScalarType> dtype = std::nullopt) {
  if (!channels_last) return torch::stable::new_empty(like, {frames, channels, height, width}, dtype);
  return swapped(swapped(torch::stable::new_empty(like, {frames, height, width, channels}, dtype), 2, 3), 1, 2);
}

inline std::int64_t window_count(std::int64_t size, std::int64_t kernel, std::int64_t stride, bool ceil_mode) {
  const std::int64_t slack = size - kernel + (ceil_mode ? stride - 1 : 0);
  const std::int64_t count = slack < 0 ? 0 : slack / stride + 1;
  return ceil_mode && (count - 1) * stride >= size ? count - 1 : count;
}

inline ReluMaxPoolLrnShape relu_max_pool_lrn_shape(const char* op, DType dtype, const Tensor& first,
                                                   std::int64_t height, std::int64_t width, bool channels_last,
                                                   const ReluMaxPoolLrnOptions& options) {
  const auto at_least_one = [&](const char* name, std::int64_t value) {
    if (value < 1) fail(op, "argument '", name, "' must be at least 1, got ", value);
  };
  at_least_one("kernel_y", options.kernel_y);
  at_least_one("kernel_x", options.kernel_x);
  at_least_one("stride_y", options.stride_y);
  at_least_one("stride_x", options.stride_x);
  if (std::max(options.kernel_y, options.kernel_x) > kBlockedPlace ||
      options.kernel_y * options.kernel_x > kBlockedPlace)
    fail(op, "arguments 'kernel_y' and 'kernel_x' must have a product of at most ", kBlockedPlace, ", got ",
         options.kernel_y, " and ", options.kernel_x);
  if (options.lrn_size < 0 || (options.lrn_size > 0 && options.lrn_size % 2 == 0))
    fail(op, "argument 'lrn_size' must be odd, or 0 for none, got ", options.lrn_size);
  ReluMaxPoolLrnShape shape{};
  shape.dtype = dtype;
  shape.channels_last = channels_last;
  shape.frames = first.size(0);
  shape.channels = first.size(1);
  shape.height = height;
  shape.width = width;
  if (shape.channels < 1 || height < 1 || width < 1)
    fail(op, "maps must have C, Y, X >= 1, got Y, X = ", height, ", ", width, " and ", describe(first));
  // Beyond the map all strides are alike.
  shape.stride_y = std::min(options.stride_y, height + 1);
  shape.stride_x = std::min(options.stride_x, width + 1);
  shape.pooled_height = window_count(height, options.kernel_y, shape.stride_y, options.ceil_mode);
  shape.pooled_width = window_count(width, options.kernel_x, shape.stride_x, options.ceil_mode);
  if (shape.pooled_height < 1 || shape.pooled_width < 1)
    fail(op, "arguments 'kernel_y' and 'kernel_x' must be no larger than Y, X = ", height, ", ", width, ", got ",
         options.kernel_y, " and ", options.kernel_x);
  shape.kernel_y = options.kernel_y;
  shape.kernel_x = options.kernel_x;
  shape.lrn_size = options.lrn_size;
  shape.alpha = options.alpha;
  shape.beta = options.beta;
  shape.k = options.k;
  shape.relu = options.relu;
  shape.lrn_first = options.lrn_first && options.lrn_size > 0;
  return shape;
}

struct ReluMaxPoolLrnForwardCall {
  static constexpr const char* kOp = "relu_max_pool_lrn_forward";
  Tensor x, output, pooled, index;
  ReluMaxPoolLrnForward args{};

  ReluMaxPoolLrnForwardCall(const Tensor& any, const ReluMaxPoolLrnOptions& options, bool save) {
    const DType dtype = check_floating(kOp, "x", any);
    check_rank(kOp, "x", any, 4, "(N, C, Y, X)");
    const bool last = is_channels_last(any);
    args.shape = relu_max_pool_lrn_shape(kOp, dtype, any, any.size(2), any.size(3), last, options);
    const ReluMaxPoolLrnShape& shape = args.shape;
    const auto map = [&](bool wanted, std::optional<ScalarType> type) {
      if (!wanted) return torch::stable::new_empty(any, {0}, type);
      return new_map(any, shape.frames, shape.channels, shape.pooled_height, shape.pooled_width, last, type);
    };
    const bool keeps_pooled = save && shape.pools() && shape.normalizes() && !shape.lrn_first;
    const bool keeps_index = save && shape.pools();
    x = dense(any, last);
    output = map(true, std::nullopt);
    pooled = map(keeps_pooled, std::nullopt);
    index = map(keeps_index, ScalarType::Byte);
    args.x = x.const_data_ptr();
    args.output = output.mutable_data_ptr();
    args.pooled = keeps_pooled ? pooled.mutable_data_ptr() : nullptr;
    args.index = keeps_index ? static_cast<std::uint8_t*>(index.mutable_data_ptr()) : nullptr;
  }
};

struct ReluMaxPoolLrnBackwardCall {
  static constexpr const char* kOp = "relu_max_pool_lrn_backward";
  Tensor grad, values, index, grad_x;
  ReluMaxPoolLrnBackward args{};

  ReluMaxPoolLrnBackwardCall(const Tensor& any_grad, const Tensor& any_values, const Tensor& any_index,
                             std::int64_t height, std::int64_t width, const ReluMaxPoolLrnOptions& options) {
    const DType dtype = check_floating(kOp, "grad", any_grad);
    check_rank(kOp, "grad", any_grad, 4, "(N, C, Yp, Xp)");
    args.shape = relu_max_pool_lrn_shape(kOp, dtype, any_grad, height, width, false, options);
    ReluMaxPoolLrnShape& shape = args.shape;
    const std::int64_t frames = shape.frames, channels = shape.channels;
    check_shape(kOp, "grad", any_grad, {frames, channels, shape.pooled_height, shape.pooled_width}, "(N, C, Yp, Xp)");
    if (shape.starts_from_input()) {
      check_like(kOp, "values", any_values, any_grad, {frames, channels, height, width}, "(N, C, Y, X)");
    } else if (shape.normalizes()) {
      check_like(kOp, "values", any_values, any_grad, {frames, channels, shape.pooled_height, shape.pooled_width},
                 "(N, C, Yp, Xp)");
    }
    if (shape.pools()) {
      check_shape(kOp, "index", any_index, {frames, channels, shape.pooled_height, shape.pooled_width},
                  "(N, C, Yp, Xp)");
      check_dtype(kOp, "index", any_index, ScalarType::Byte);
      check_device(kOp, "index", any_index, any_grad);
    }
    const bool last = is_channels_last(shape.starts_from_input() ? any_values : any_index);
    shape.channels_last = last;
    grad = dense(any_grad, last);
    grad_x = new_map(any_grad, frames, channels, height, width, last);
    args.grad = grad.const_data_ptr();
    if (shape.starts_from_input() || shape.normalizes()) {
      values = dense(any_values, last);
      args.values = values.const_data_ptr();
    }
    if (shape.pools()) {
      index = dense(any_index, last);
      args.index = static_cast<const std::uint8_t*>(index.const_data_ptr());
    }
    args.grad_x = grad_x.mutable_data_ptr();
  }
};

}  // namespace lrcn_fast::bindings
