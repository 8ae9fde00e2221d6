#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "checks.h"
#include "frames_to_input.h"
#include "lrcn_fast/gpu.h"
#include "lrcn_fast/launch_error.h"
#include "lrcn_fast/lstm_plan.h"
#include "lstm.h"
#include "lstm_cell.h"
#include "plan.h"

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

// For the current device. `first` is where the rows of the problem begin that the blocks exchange.
LstmPlan plan_for(const LstmShape& shape, bool backward, Float32Products products, const void* first) {
  LstmPlan plan{};
  plan.kernel = LstmKernel::kStep;
  GpuProperties gpu{};
  if (!present_gpu(&gpu)) return plan;
  LstmProblem problem{};
  problem.backward = backward;
  problem.dtype = shape.dtype;
  problem.products = products;
  problem.steps = shape.steps;
  problem.batch = shape.batch;
  problem.hidden = shape.hidden;
  problem.projects = shape.weight_hr != nullptr;
  problem.scans = 1;
  problem.aligned = reinterpret_cast<std::uintptr_t>(first) % 16 == 0;
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

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_forward(
    const Tensor& gates, const Tensor& weight_hh, const OptionalTensor& weight_hr, const OptionalTensor& static_gates,
    const OptionalTensor& h0, const OptionalTensor& c0, const OptionalTensor& cont, const OptionalTensor& lengths,
    bool reverse, bool batch_first, bool save_cells, bool save_activations, std::int64_t tf32) {
  const char* op = LstmForwardCall::kOp;
  const Float32Products products = float32_products(op, tf32);
  LstmForwardCall call(gates, weight_hh, weight_hr, static_gates, h0, c0, cont, lengths, reverse, batch_first,
                       save_cells, save_activations);
  const Tensor workspace = workspace_of(gates, lstm_forward_workspace_cuda(call.args.shape));
  call.args.workspace = workspace.mutable_data_ptr();
  launch(op, gates, [&](void* stream) {
    const LstmPlan plan = plan_for(call.args.shape, false, products, call.args.output);
    return lstm_forward_cuda(&call.args, 1, products, plan, stream);
  });
  return {call.output, call.h_n, call.c_n, call.cells, call.activations};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> lstm_backward(const OptionalTensor& grad_output,
                                                         const OptionalTensor& grad_h_n, const OptionalTensor& grad_c_n,
                                                         const OptionalTensor& grad_cells, const Tensor& activations,
                                                         const Tensor& cells, const Tensor& weight_hh,
                                                         const OptionalTensor& weight_hr, const OptionalTensor& c0,
                                                         const OptionalTensor& cont, const OptionalTensor& lengths,
                                                         bool reverse, bool batch_first, std::int64_t tf32) {
  const char* op = LstmBackwardCall::kOp;
  const Float32Products products = float32_products(op, tf32);
  LstmBackwardCall call(grad_output, grad_h_n, grad_c_n, grad_cells, activations, cells, weight_hh, weight_hr, c0, cont,
                        lengths, reverse, batch_first);
  const Tensor workspace = workspace_of(activations, lstm_backward_workspace_cuda(call.args.shape));
  call.args.workspace = workspace.mutable_data_ptr();
  const OptionalTensor hh = transposed(call.inputs.weight_hh);
  const OptionalTensor hr = transposed(call.inputs.weight_hr);
  const TransposedWeights weights{data_or_null(hh), data_or_null(hr)};
  launch(op, activations, [&](void* stream) {
    const LstmPlan plan = plan_for(call.args.shape, true, products, call.args.grad_gates);
    return lstm_backward_cuda(&call.args, &weights, 1, products, plan, stream);
  });
  return {call.grad_gates, call.grad_h0, call.grad_c0, call.grad_hidden};
}

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

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CUDA, m) {
  m.impl("lstm_forward", TORCH_BOX(&lstm_forward));
  m.impl("lstm_backward", TORCH_BOX(&lstm_backward));
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
  m.impl("frames_to_input", TORCH_BOX(&frames_to_input));
}

}  // namespace lrcn_fast::bindings
