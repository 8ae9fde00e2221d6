#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "checks.h"
#include "lrcn_fast/launch_error.h"
#include "lrcn_fast/lstm_cell.h"

// libtorch_cuda exports it; a CPU-only torch has no such library, and the extension must load there too.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(std::int32_t device_index,
                                                                                   void** stream);

namespace lrcn_fast::bindings {
namespace {

using torch::stable::accelerator::DeviceGuard;

void* current_stream(const char* op, const Tensor& tensor) {
  if (aoti_torch_get_current_cuda_stream == nullptr) fail(op, "this torch was built without CUDA");
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return stream;
}

struct Sizes {
  std::int64_t batch, hidden;
};

// `four_gates` is (B, 4H); it sets B, H, dtype and device for all other arguments.
Sizes check_gates(const char* op, const char* argument, const Tensor& four_gates) {
  check_rank(op, argument, four_gates, 2, "(B, 4H)");
  if (four_gates.size(1) % 4 != 0)
    fail(op, "argument '", argument, "' must have a multiple of 4 columns (B, 4H), got ", describe(four_gates));
  return {four_gates.size(0), four_gates.size(1) / 4};
}

void check_optional(const char* op, const char* argument, const std::optional<Tensor>& tensor, const Tensor& like,
                    Sizes sizes) {
  if (tensor.has_value()) check_like(op, argument, *tensor, like, {sizes.batch, sizes.hidden}, "(B, H)");
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell_forward(const Tensor& gates_any, const std::optional<Tensor>& c0_any) {
  const char* op = "lstm_cell_forward";
  const Sizes sizes = check_gates(op, "gates", gates_any);
  const DType dtype = check_floating(op, "gates", gates_any);
  check_optional(op, "c0", c0_any, gates_any, sizes);

  const DeviceGuard guard(gates_any.get_device_index());
  const Tensor gates = with_unit_last_stride(gates_any);
  const std::optional<Tensor> c0 = with_unit_last_stride(c0_any);
  Tensor h = torch::stable::new_empty(gates, {sizes.batch, sizes.hidden});
  Tensor c = torch::stable::new_empty(gates, {sizes.batch, sizes.hidden});
  Tensor activations = torch::stable::new_empty(gates, {sizes.batch, 4 * sizes.hidden});

  LstmCellForward params{};
  params.dtype = dtype;
  params.batch = sizes.batch;
  params.hidden = sizes.hidden;
  params.gates = gates.const_data_ptr();
  params.gates_stride = gates.stride(0);
  params.c0 = data_or_null(c0);
  params.c0_stride = stride_or_zero(c0, 0);
  params.h = h.mutable_data_ptr();
  params.c = c.mutable_data_ptr();
  params.activations = activations.mutable_data_ptr();
  check_status(op, gates_any, lstm_cell_forward_cuda(params, current_stream(op, gates)), launch_error());
  return {h, c, activations};
}

std::tuple<Tensor, Tensor> lstm_cell_backward(const std::optional<Tensor>& grad_h_any,
                                              const std::optional<Tensor>& grad_c_any, const Tensor& activations_any,
                                              const Tensor& c_any, const std::optional<Tensor>& c0_any) {
  const char* op = "lstm_cell_backward";
  const Sizes sizes = check_gates(op, "activations", activations_any);
  const DType dtype = check_floating(op, "activations", activations_any);
  check_optional(op, "grad_h", grad_h_any, activations_any, sizes);
  check_optional(op, "grad_c", grad_c_any, activations_any, sizes);
  check_like(op, "c", c_any, activations_any, {sizes.batch, sizes.hidden}, "(B, H)");
  check_optional(op, "c0", c0_any, activations_any, sizes);

  const DeviceGuard guard(activations_any.get_device_index());
  const std::optional<Tensor> grad_h = with_unit_last_stride(grad_h_any);
  const std::optional<Tensor> grad_c = with_unit_last_stride(grad_c_any);
  const Tensor activations = with_unit_last_stride(activations_any);
  const Tensor c = with_unit_last_stride(c_any);
  const std::optional<Tensor> c0 = with_unit_last_stride(c0_any);
  Tensor grad_gates = torch::stable::new_empty(activations, {sizes.batch, 4 * sizes.hidden});
  Tensor grad_c0 = torch::stable::new_empty(activations, {sizes.batch, sizes.hidden});

  LstmCellBackward params{};
  params.dtype = dtype;
  params.batch = sizes.batch;
  params.hidden = sizes.hidden;
  params.grad_h = data_or_null(grad_h);
  params.grad_h_stride = stride_or_zero(grad_h, 0);
  params.grad_c = data_or_null(grad_c);
  params.grad_c_stride = stride_or_zero(grad_c, 0);
  params.activations = activations.const_data_ptr();
  params.activations_stride = activations.stride(0);
  params.c = c.const_data_ptr();
  params.c_stride = c.stride(0);
  params.c0 = data_or_null(c0);
  params.c0_stride = stride_or_zero(c0, 0);
  params.grad_gates = grad_gates.mutable_data_ptr();
  params.grad_c0 = grad_c0.mutable_data_ptr();
  check_status(op, activations_any, lstm_cell_backward_cuda(params, current_stream(op, activations)), launch_error());
  return {grad_gates, grad_c0};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CUDA, m) {
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
}

}  // namespace lrcn_fast::bindings
