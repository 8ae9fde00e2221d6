#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

#include "checks.h"
#include "conv_frames.h"
#include "cross_entropy.h"
#include "frames_to_input.h"
#include "lrcn_fast/gpu.h"
#include "lrcn_fast/launch_error.h"
#include "lrcn_fast/lstm_plan.h"
#include "lstm_cell.h"
#include "lstm_ops.h"
#include "lstm_step.h"
#include "plan.h"
#include "relu_max_pool_lrn.h"
#include "vocabulary_top_k.h"

// libtorch_cuda exports it; a CPU-only torch has no such library, and the extension must load there too.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(std::int32_t device_index,
                                                                                   void** stream);

namespace lrcn_fast::bindings {
namespace {

using torch::stable::accelerator::DeviceGuard;

// Makes the tensor's device current, and calls `kernels(stream)` with the stream that is current there.
template <typename Kernels>
void launch(const char* op, const Tensor& first, Kernels kernels) {
  if (aoti_torch_get_current_cuda_stream == nullptr) fail(op, "this torch was built without CUDA");
  const std::int32_t device = first.get_device_index();
  const DeviceGuard guard(device);
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device, &stream));
  const Status status = kernels(stream);
  check_status(op, first, status, status == Status::kLaunchFailed ? launch_error() : "");
}

// For the current device.
template <class Args>
LstmPlan plan_for(const std::vector<Args>& scans, Float32Products products) {
  LstmPlan plan{};
  plan.kernel = LstmKernel::kStep;
  GpuProperties gpu{};
  if (!present_gpu(&gpu)) return plan;
  LstmProblem problem{};
  problem.backward = std::is_same_v<Args, LstmBackward>;
  problem.dtype = scans[0].shape.dtype;
  problem.products = products;
  problem.batch = scans[0].shape.batch;
  problem.hidden = scans[0].shape.hidden;
  problem.scans = static_cast<std::int32_t>(std::min<std::size_t>(scans.size(), kMostScans));
  for (const Args& scan : scans) {
    problem.steps = std::max(problem.steps, scan.shape.steps);
    problem.projects = problem.projects || scan.shape.weight_hr != nullptr;
  }
  problem.persistence = persistence();
  return plan_lstm(gpu, problem);
}

OptionalTensor transposed(const OptionalTensor& matrix) {
  if (!matrix.has_value()) return std::nullopt;
  return torch::stable::contiguous(torch::stable::transpose(*matrix, 0, 1));
}

Float32Products float32_products(const char* op, std::int64_t tf32) {
  if (tf32 != 0 && tf32 != 1 && tf32 != 3)
    fail(op, "argument 'tf32' must be 0 (float32 products), 1 or 3 (TF32 products for each), got ", tf32);
  return static_cast<Float32Products>(tf32);
}

// The weights of a call's scans for the kernels that take them the other way round.
struct TransposedScans {
  const std::vector<LstmBackwardCall>& calls;
  std::vector<OptionalTensor> kept{};

  const void* keep(const OptionalTensor& weights) {
    kept.push_back(transposed(weights));
    return data_or_null(kept.back());
  }
  static TransposedWeights transpose(void* context, int scan) {
    auto& own = *static_cast<TransposedScans*>(context);
    const LstmInputs& inputs = own.calls[static_cast<std::size_t>(scan)].inputs;
    return {own.keep(inputs.weight_hh), own.keep(inputs.weight_hr)};
  }
};

// Workspaces of scans, for the kernels of a plan.
template <class Args>
std::vector<Tensor> workspaces_of(const Tensor& like, std::vector<Args>& scans, const LstmPlan& plan) {
  std::vector<Tensor> workspaces;
  for (Args& scan : scans) {
    workspaces.push_back(workspace_of(like, lstm_workspace_cuda(scan, plan)));
    scan.workspace = workspaces.back().mutable_data_ptr();
  }
  return workspaces;
}

template <class Call>
auto arguments_of(const std::vector<Call>& calls) {
  std::vector<decltype(Call::args)> scans;
  for (const Call& call : calls) scans.push_back(call.args);
  return scans;
}

struct Cuda {
  static void forward(const char* op, std::vector<LstmForwardCall>& calls, std::int64_t tf32) {
    const Float32Products products = float32_products(op, tf32);
    auto scans = arguments_of(calls);
    launch(op, calls[0].gates, [&](void* stream) {
      const LstmPlan plan = plan_for(scans, products);
      const auto workspaces = workspaces_of(calls[0].gates, scans, plan);
      return lstm_forward_cuda(scans.data(), static_cast<int>(scans.size()), products, plan, stream);
    });
  }

  static void backward(const char* op, std::vector<LstmBackwardCall>& calls, std::int64_t tf32) {
    const Float32Products products = float32_products(op, tf32);
    auto scans = arguments_of(calls);
    TransposedScans weights{calls};
    launch(op, calls[0].activations, [&](void* stream) {
      const LstmPlan plan = plan_for(scans, products);
      const auto workspaces = workspaces_of(calls[0].activations, scans, plan);
      return lstm_backward_cuda(scans.data(), static_cast<int>(scans.size()), {TransposedScans::transpose, &weights},
                                products, plan, stream);
    });
  }
};

std::tuple<Tensor, Tensor, Tensor> lstm_cell_forward(const Tensor& gates, const std::optional<Tensor>& c0) {
  const CellForwardCall call = cell_forward_call(gates, c0);
  launch("lstm_cell_forward", gates, [&](void* stream) { return lstm_cell_forward_cuda(call.params, stream); });
  return {call.h, call.c, call.activations};
}

std::tuple<Tensor, Tensor> lstm_cell_backward(const std::optional<Tensor>& grad_h, const std::optional<Tensor>& grad_c,
                                              const Tensor& activations, const Tensor& c,
                                              const std::optional<Tensor>& c0) {
  const CellBackwardCall call = cell_backward_call(grad_h, grad_c, activations, c, c0);
  launch("lstm_cell_backward", activations, [&](void* stream) { return lstm_cell_backward_cuda(call.params, stream); });
  return {call.grad_gates, call.grad_c0};
}

Tensor frames_to_input(const Tensor& frames, const OptionalTensor& offsets, const OptionalTensor& mirror,
                       const OptionalTensor& mean_image, const std::vector<double>& mean,
                       const std::vector<double>& scale, std::int64_t height, std::int64_t width, bool swap_rb,
                       std::int64_t flow_channel, bool channels_last, ScalarType dtype) {
  const FramesToInputCall call = frames_to_input_call(frames, offsets, mirror, mean_image, mean, scale, height, width,
                                                      swap_rb, flow_channel, channels_last, dtype);
  launch(call.kOp, frames, [&](void* stream) { return frames_to_input_cuda(call.params, stream); });
  return call.result();
}

Tensor conv_frames(const Tensor& frames, const OptionalTensor& offsets, const OptionalTensor& mirror,
                   const Tensor& weight, const Tensor& bias, std::int64_t stride, std::int64_t height,
                   std::int64_t width, double alpha, double beta, double k) {
  const ConvFramesCall call =
      conv_frames_call(frames, offsets, mirror, weight, bias, stride, height, width, alpha, beta, k);
  launch(call.kOp, frames, [&](void* stream) { return conv_frames_cuda(call.params, stream); });
  return with_channels_second(call.output);
}

std::tuple<Tensor, Tensor, Tensor> relu_max_pool_lrn_forward(const Tensor& x, bool relu, std::int64_t kernel_y,
                                                             std::int64_t kernel_x, std::int64_t stride_y,
                                                             std::int64_t stride_x, bool ceil_mode,
                                                             std::int64_t lrn_size, double alpha, double beta, double k,
                                                             bool lrn_first, bool save) {
  const ReluMaxPoolLrnForwardCall call(
      x, {relu, kernel_y, kernel_x, stride_y, stride_x, ceil_mode, lrn_size, alpha, beta, k, lrn_first}, save);
  launch(call.kOp, x, [&](void* stream) { return relu_max_pool_lrn_forward_cuda(call.args, stream); });
  return {call.output, call.pooled, call.index};
}

Tensor relu_max_pool_lrn_backward(const Tensor& grad, const Tensor& values, const Tensor& index, std::int64_t height,
                                  std::int64_t width, bool relu, std::int64_t kernel_y, std::int64_t kernel_x,
                                  std::int64_t stride_y, std::int64_t stride_x, bool ceil_mode, std::int64_t lrn_size,
                                  double alpha, double beta, double k, bool lrn_first) {
  const ReluMaxPoolLrnBackwardCall call(
      grad, values, index, height, width,
      {relu, kernel_y, kernel_x, stride_y, stride_x, ceil_mode, lrn_size, alpha, beta, k, lrn_first});
  launch(call.kOp, grad, [&](void* stream) { return relu_max_pool_lrn_backward_cuda(call.args, stream); });
  return call.grad_x;
}

Tensor cross_entropy(Tensor logits, const Tensor& targets, const Tensor& scale, std::int64_t ignore_index,
                     bool gradient) {
  const CrossEntropyCall call = cross_entropy_call(logits, targets, scale, ignore_index, gradient);
  launch("cross_entropy", logits, [&](void* stream) { return cross_entropy_cuda(call.params, stream); });
  return call.losses;
}

// Indices are not looked at: that would wait for the device.
std::tuple<Tensor, Tensor> lstm_step(const Tensor& h, const Tensor& c, const Tensor& parents, const Tensor& weight_hh,
                                     const OptionalTensor& input, const OptionalTensor& weight_ih,
                                     const OptionalTensor& table, const OptionalTensor& words,
                                     const OptionalTensor& static_gates, const OptionalTensor& images) {
  const LstmStepCall call(h, c, parents, weight_hh, input, weight_ih, table, words, static_gates, images);
  launch("lstm_step", h, [&](void* stream) { return lstm_step_cuda(call.params, stream); });
  return {call.h_n, call.c_n};
}

std::tuple<Tensor, Tensor> vocabulary_top_k(const Tensor& hidden, const Tensor& weight, const OptionalTensor& bias,
                                            std::int64_t k, const OptionalTensor& forbidden) {
  VocabularyTopKCall call(hidden, weight, bias, k, forbidden);
  const Tensor workspace = workspace_of(hidden, vocabulary_top_k_workspace_cuda(call.params));
  call.params.workspace = workspace.mutable_data_ptr();
  launch("vocabulary_top_k", hidden, [&](void* stream) { return vocabulary_top_k_cuda(call.params, stream); });
  return {call.log_probs, call.words};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CUDA, m) {
  m.impl("lstm_forward", TORCH_BOX(&lstm_forward<Cuda>));
  m.impl("lstm_backward", TORCH_BOX(&lstm_backward<Cuda>));
  m.impl("lstm_scans_forward", TORCH_BOX(&lstm_scans_forward<Cuda>));
  m.impl("lstm_scans_backward", TORCH_BOX(&lstm_scans_backward<Cuda>));
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
  m.impl("cross_entropy", TORCH_BOX(&cross_entropy));
  m.impl("lstm_step", TORCH_BOX(&lstm_step));
  m.impl("vocabulary_top_k", TORCH_BOX(&vocabulary_top_k));
  m.impl("frames_to_input", TORCH_BOX(&frames_to_input));
  m.impl("conv_frames", TORCH_BOX(&conv_frames));
  m.impl("relu_max_pool_lrn_forward", TORCH_BOX(&relu_max_pool_lrn_forward));
  m.impl("relu_max_pool_lrn_backward", TORCH_BOX(&relu_max_pool_lrn_backward));
}

}  // namespace lrcn_fast::bindings
