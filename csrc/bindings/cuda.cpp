#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "checks.h"
#include "lrcn_fast/launch_error.h"
#include "lstm_cell.h"

// libtorch_cuda exports it; a CPU-only torch has no such library, and the extension must load there too.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(std::int32_t device_index,
                                                                                   void** stream);

namespace lrcn_fast::bindings {
namespace {

using torch::stable::accelerator::DeviceGuard;

// Makes the tensor's device current, and launches on the stream that is current there.
template <typename Params>
void launch(const char* op, const Tensor& first, const Params& params, Status (*kernel)(const Params&, void*)) {
  if (aoti_torch_get_current_cuda_stream == nullptr) fail(op, "this torch was built without CUDA");
  const std::int32_t device = first.get_device_index();
  const DeviceGuard guard(device);
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device, &stream));
  const Status status = kernel(params, stream);
  check_status(op, first, status, status == Status::kLaunchFailed ? launch_error() : "");
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell_forward(const Tensor& gates, const std::optional<Tensor>& c0) {
  const CellForwardCall call = cell_forward_call(gates, c0);
  launch("lstm_cell_forward", gates, call.params, lstm_cell_forward_cuda);
  return {call.h, call.c, call.activations};
}

std::tuple<Tensor, Tensor> lstm_cell_backward(const std::optional<Tensor>& grad_h, const std::optional<Tensor>& grad_c,
                                              const Tensor& activations, const Tensor& c,
                                              const std::optional<Tensor>& c0) {
  const CellBackwardCall call = cell_backward_call(grad_h, grad_c, activations, c, c0);
  launch("lstm_cell_backward", activations, call.params, lstm_cell_backward_cuda);
  return {call.grad_gates, call.grad_c0};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CUDA, m) {
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
}

}  // namespace lrcn_fast::bindings
