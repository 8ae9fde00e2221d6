#pragma once

#include <optional>
#include <vector>

#include "frame_windows.h"
#include "lrcn_fast/frames_to_input.h"

// What the bindings of every device share for the op frames_to_input: check, allocate, fill the struct in.
namespace lrcn_fast::bindings {

// The call owns the tensors that its params point into; the frames and the mean image stay the caller's.
struct FramesToInputCall {
  static constexpr const char* kOp = "frames_to_input";

  WindowTensors windows;
  Tensor input;
  FramesToInput params;

  // (N, C, Y, X) in the memory format asked for.
  Tensor result() const {
    if (!params.channels_last) return input;
    return with_channels_second(input);
  }
};

inline void take_channels(FramesToInput& params, const Tensor& frames, bool swap_rb, std::int64_t flow_channel) {
  const char* op = FramesToInputCall::kOp;
  if (swap_rb && params.channels < 3) fail(op, "argument 'swap_rb' needs 3 or 4 channels, got ", describe(frames));
  if (flow_channel < -1 || flow_channel >= params.channels)
    fail(op, "argument 'flow_channel' must lie within -1..C - 1, got ", flow_channel, " for ", describe(frames));
  params.inverted = -1;
  for (std::int32_t channel = 0; channel < params.channels; ++channel) {
    params.source[channel] = swap_rb && channel < 3 ? 2 - channel : channel;
    if (params.source[channel] == flow_channel) params.inverted = channel;
  }
}

inline void take_mean(FramesToInput& params, const Tensor& frames, const std::optional<Tensor>& image,
                      const std::vector<double>& mean, const std::vector<double>& scale) {
  const char* op = FramesToInputCall::kOp;
  const auto channels = static_cast<std::size_t>(params.channels);
  if (scale.size() != channels) fail(op, "argument 'scale' must have C = ", channels, " numbers, got ", scale.size());
  if (!image.has_value() && mean.size() != channels)
    fail(op, "argument 'mean' must have C = ", channels, " numbers, got ", mean.size());
  for (std::size_t channel = 0; channel < channels; ++channel) {
    params.mean[channel] = image.has_value() ? 0 : mean[channel];
    params.scale[channel] = scale[channel];
  }
  if (!image.has_value()) return;
  check_shape(op, "mean_image", *image, {params.channels, params.frame_height, params.frame_width}, "(C, Y, X)");
  check_dtype(op, "mean_image", *image, params.dtype == DType::kFloat64 ? ScalarType::Double : ScalarType::Float);
  check_device(op, "mean_image", *image, frames);
  params.mean_image = image->const_data_ptr();
  params.mean_channel_stride = image->stride(0);
  params.mean_row_stride = image->stride(1);
  params.mean_column_stride = image->stride(2);
}

inline FramesToInputCall frames_to_input_call(const Tensor& frames, const std::optional<Tensor>& offsets,
                                              const std::optional<Tensor>& mirror,
                                              const std::optional<Tensor>& mean_image, const std::vector<double>& mean,
                                              const std::vector<double>& scale, std::int64_t height, std::int64_t width,
                                              bool swap_rb, std::int64_t flow_channel, bool channels_last,
                                              ScalarType dtype) {
  const char* op = FramesToInputCall::kOp;
  FramesToInput params{};
  params.dtype = check_floating(op, "dtype", dtype);
  params.channels_last = channels_last;
  WindowTensors windows = take_windows(op, params, frames, offsets, mirror, height, width, kMostFrameChannels);
  take_channels(params, frames, swap_rb, flow_channel);
  take_mean(params, frames, mean_image, mean, scale);
  FramesToInputCall call{windows,
                         channels_last
                             ? torch::stable::new_empty(frames, {params.frames, height, width, params.channels}, dtype)
                             : torch::stable::new_empty(frames, {params.frames, params.channels, height, width}, dtype),
                         params};
  call.params.input = call.input.mutable_data_ptr();
  return call;
}

}  // namespace lrcn_fast::bindings
