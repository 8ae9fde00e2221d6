#pragma once

#include "frame_windows.h"
#include "lrcn_fast/conv_frames.h"

// The bindings of the op conv_frames: check, allocate, fill the struct in.
namespace lrcn_fast::bindings {

// The call owns the tensors that its params point into; the frames stay the caller's.
struct ConvFramesCall {
  static constexpr const char* kOp = "conv_frames";

  WindowTensors windows;
  Tensor weight, bias, output;
  ConvFrames params;
};

inline ConvFramesCall conv_frames_call(const Tensor& frames, const std::optional<Tensor>& offsets,
                                       const std::optional<Tensor>& mirror, const Tensor& weight, const Tensor& bias,
                                       std::int64_t stride, std::int64_t height, std::int64_t width, double alpha,
                                       double beta, double k) {
  const char* op = ConvFramesCall::kOp;
  ConvFrames params{};
  WindowTensors windows = take_windows(op, params, frames, offsets, mirror, height, width, kConvFramesChannels);
  check_rank(op, "weight", weight, 4, "(O, C, K, K)");
  params.kernel = weight.size(2);
  params.stride = stride;
  const bool caffenet = params.kernel == 11 && stride == 4, hybrid = params.kernel == 7 && stride == 2;
  if (!caffenet && !hybrid)
    fail(op, "argument 'weight' must be of 11 x 11 pixels at stride 4 or 7 x 7 at stride 2, got ", describe(weight),
         " at stride ", stride);
  check_shape(op, "weight", weight, {kConvFramesOutputs, params.channels, params.kernel, params.kernel},
              "(96, C, K, K)");
  if (params.channels != kConvFramesChannels)
    fail(op, "argument 'frames' must have 3 channels (N, Y, X, C), got ", describe(frames));
  params.dtype = check_floating(op, "weight", weight);
  if (params.dtype != DType::kFloat16 && params.dtype != DType::kBFloat16)
    fail(op, "argument 'weight' must be float16 or bfloat16, got ", describe(weight));
  check_device(op, "weight", weight, frames);
  check_shape(op, "bias", bias, {kConvFramesOutputs}, "(96,)");
  check_dtype(op, "bias", bias, ScalarType::Float);
  check_device(op, "bias", bias, frames);
  const std::int64_t rows = conv_frames_pooled(conv_frames_convolved(height, params.kernel, stride));
  const std::int64_t columns = conv_frames_pooled(conv_frames_convolved(width, params.kernel, stride));
  if (rows < 1 || columns < 1)
    fail(op, "arguments 'height' and 'width' must leave 3 x 3 positions of the filters or more, got ", height, " and ",
         width);
  // (O, K, K, C), as the neighbours of a pixel lie.
  const Tensor filters = torch::stable::transpose(torch::stable::transpose(weight, 1, 3), 1, 2);
  ConvFramesCall call{windows, torch::stable::contiguous(filters), torch::stable::contiguous(bias),
                      torch::stable::new_empty(weight, {params.frames, rows, columns, kConvFramesOutputs}), params};
  call.params.weight = call.weight.const_data_ptr();
  call.params.bias = static_cast<const float*>(call.bias.const_data_ptr());
  call.params.alpha = static_cast<float>(alpha);
  call.params.beta = static_cast<float>(beta);
  call.params.k = static_cast<float>(k);
  call.params.output = call.output.mutable_data_ptr();
  return call;
}

}  // namespace lrcn_fast::bindings
