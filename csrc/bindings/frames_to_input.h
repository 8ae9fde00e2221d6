#pragma once

#include <optional>
#include <vector>

#include "checks.h"
#include "lrcn_fast/frames_to_input.h"

// What the bindings of every device share for the op frames_to_input: check, allocate, fill the struct in.
namespace lrcn_fast::bindings {

// The call owns the tensors that its params point into; the frames and the mean image stay the caller's.
struct FramesToInputCall {
  static constexpr const char* kOp = "frames_to_input";

  std::optional<Tensor> offsets, mirror;
  Tensor input;
  FramesToInput params;

  // (N, C, Y, X) in the memory format asked for.
  Tensor result() const {
    if (!params.channels_last) return input;
    return torch::stable::transpose(torch::stable::transpose(input, 1, 3), 2, 3);
  }
};

inline void take_frames(FramesToInput& params, const Tensor& frames, std::int64_t height, std::int64_t width) {
  const char* op = FramesToInputCall::kOp;
  check_rank(op, "frames", frames, 4, "(N, Y, X, C)");
  check_dtype(op, "frames", frames, ScalarType::Byte);
  params.frames = frames.size(0);
  params.frame_height = frames.size(1);
  params.frame_width = frames.size(2);
  params.channels = frames.size(3);
  if (params.channels < 1 || params.channels > kMostFrameChannels)
    fail(op, "argument 'frames' must have 1 to ", kMostFrameChannels, " channels (N, Y, X, C), got ", describe(frames));
  if (height < 1 || width < 1 || height > params.frame_height || width > params.frame_width)
    fail(op, "arguments 'height' and 'width' must lie within 1..Y and 1..X, got ", height, " and ", width, " for ",
         describe(frames));
  params.height = height;
  params.width = width;
  params.pixels = static_cast<const std::uint8_t*>(frames.const_data_ptr());
  params.frame_stride = frames.stride(0);
  params.row_stride = frames.stride(1);
  params.column_stride = frames.stride(2);
  params.channel_stride = frames.stride(3);
}

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
  take_frames(params, frames, height, width);
  take_channels(params, frames, swap_rb, flow_channel);
  take_mean(params, frames, mean_image, mean, scale);
  if (offsets.has_value()) {
    check_shape(op, "offsets", *offsets, {params.frames, 2}, "(N, 2)");
    check_dtype(op, "offsets", *offsets, ScalarType::Long);
    check_device(op, "offsets", *offsets, frames);
  }
  if (mirror.has_value()) {
    check_shape(op, "mirror", *mirror, {params.frames}, "(N,)");
    check_dtype(op, "mirror", *mirror, ScalarType::Bool);
    check_device(op, "mirror", *mirror, frames);
  }

  FramesToInputCall call{contiguous(offsets), contiguous(mirror),
                         channels_last
                             ? torch::stable::new_empty(frames, {params.frames, height, width, params.channels}, dtype)
                             : torch::stable::new_empty(frames, {params.frames, params.channels, height, width}, dtype),
                         params};
  call.params.offsets = static_cast<const std::int64_t*>(data_or_null(call.offsets));
  call.params.mirror = static_cast<const bool*>(data_or_null(call.mirror));
  call.params.input = call.input.mutable_data_ptr();
  return call;
}

// Only where the offsets can be read without waiting for a device.
inline void check_offsets(const FramesToInput& params) {
  if (params.offsets == nullptr) return;
  const std::int64_t rows = params.frame_height - params.height, columns = params.frame_width - params.width;
  for (std::int64_t n = 0; n < params.frames; ++n) {
    const std::int64_t top = params.offsets[2 * n], left = params.offsets[2 * n + 1];
    if (top < 0 || top > rows || left < 0 || left > columns)
      fail(FramesToInputCall::kOp, "argument 'offsets' must lie within (0, 0)..(", rows, ", ", columns, "), got (", top,
           ", ", left, ") for frame ", n);
  }
}

}  // namespace lrcn_fast::bindings
