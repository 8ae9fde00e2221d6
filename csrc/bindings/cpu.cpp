#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

#include "cross_entropy.h"
#include "frames_to_input.h"
#include "lstm_cell.h"
#include "lstm_ops.h"
#include "lstm_step.h"
#include "relu_max_pool_lrn.h"
#include "vocabulary_top_k.h"

namespace lrcn_fast::bindings {
namespace {

Parallel torch_threads() {
  Parallel parallel;
  parallel.threads = torch::stable::get_num_threads();
  parallel.run = [](std::int64_t n, Parallel::Body body, void* context) {
    STABLE_TORCH_ERROR_CODE_CHECK(torch_parallel_for(0, n, 1, body, context));
  };
  return parallel;
}

struct Cpu {
  static void forward(const char* op, std::vector<LstmForwardCall>& calls, std::int64_t) {
    run<LstmForward>(op, calls, lstm_forward_workspace_cpu, lstm_scans_forward_cpu);
  }

  static void backward(const char* op, std::vector<LstmBackwardCall>& calls, std::int64_t) {
    run<LstmBackward>(op, calls, lstm_backward_workspace_cpu, lstm_scans_backward_cpu);
  }

 private:
  template <class Scan, class Call>
  static void run(const char* op, std::vector<Call>& calls, std::size_t (*workspace_bytes)(const LstmShape&),
                  void (*run_scans)(const Scan*, std::int64_t, const Parallel&)) {
    for (const Call& call : calls) check_lengths(op, call.args.shape);
    std::vector<Tensor> workspaces;
    std::vector<Scan> scans;
    for (const Call& call : calls) {
      workspaces.push_back(workspace_of(call.inputs.weight_hh, workspace_bytes(call.args.shape)));
      scans.push_back(call.args);
      scans.back().workspace = workspaces.back().mutable_data_ptr();
    }
    run_scans(scans.data(), static_cast<std::int64_t>(scans.size()), torch_threads());
  }
};

std::tuple<Tensor, Tensor, Tensor> lstm_cell_forward(const Tensor& gates, const OptionalTensor& c0) {
  CellForwardCall call = cell_forward_call(gates, c0);
  lstm_cell_forward_cpu(call.params, torch_threads());
  return {call.h, call.c, call.activations};
}

std::tuple<Tensor, Tensor> lstm_cell_backward(const OptionalTensor& grad_h, const OptionalTensor& grad_c,
                                              const Tensor& activations, const Tensor& c, const OptionalTensor& c0) {
  CellBackwardCall call = cell_backward_call(grad_h, grad_c, activations, c, c0);
  lstm_cell_backward_cpu(call.params, torch_threads());
  return {call.grad_gates, call.grad_c0};
}

Tensor frames_to_input(const Tensor& frames, const OptionalTensor& offsets, const OptionalTensor& mirror,
                       const OptionalTensor& mean_image, const std::vector<double>& mean,
                       const std::vector<double>& scale, std::int64_t height, std::int64_t width, bool swap_rb,
                       std::int64_t flow_channel, bool channels_last, ScalarType dtype) {
  const FramesToInputCall call = frames_to_input_call(frames, offsets, mirror, mean_image, mean, scale, height, width,
                                                      swap_rb, flow_channel, channels_last, dtype);
  check_offsets(call.kOp, call.params);
  frames_to_input_cpu(call.params, torch_threads());
  return call.result();
}

std::tuple<Tensor, Tensor, Tensor> relu_max_pool_lrn_forward(const Tensor& x, bool relu, std::int64_t kernel_y,
                                                             std::int64_t kernel_x, std::int64_t stride_y,
                                                             std::int64_t stride_x, bool ceil_mode,
                                                             std::int64_t lrn_size, double alpha, double beta, double k,
                                                             bool lrn_first, bool save) {
  ReluMaxPoolLrnForwardCall call(
      x, {relu, kernel_y, kernel_x, stride_y, stride_x, ceil_mode, lrn_size, alpha, beta, k, lrn_first}, save);
  const Parallel parallel = torch_threads();
  const Tensor workspace = workspace_of(x, relu_max_pool_lrn_forward_workspace_cpu(call.args.shape, parallel.threads));
  call.args.workspace = workspace.mutable_data_ptr();
  relu_max_pool_lrn_forward_cpu(call.args, parallel);
  return {call.output, call.pooled, call.index};
}

Tensor relu_max_pool_lrn_backward(const Tensor& grad, const Tensor& values, const Tensor& index, std::int64_t height,
                                  std::int64_t width, bool relu, std::int64_t kernel_y, std::int64_t kernel_x,
                                  std::int64_t stride_y, std::int64_t stride_x, bool ceil_mode, std::int64_t lrn_size,
                                  double alpha, double beta, double k, bool lrn_first) {
  ReluMaxPoolLrnBackwardCall call(
      grad, values, index, height, width,
      {relu, kernel_y, kernel_x, stride_y, stride_x, ceil_mode, lrn_size, alpha, beta, k, lrn_first});
  const Parallel parallel = torch_threads();
  const std::size_t bytes = relu_max_pool_lrn_backward_workspace_cpu(call.args.shape, parallel.threads);
  const Tensor workspace = workspace_of(grad, bytes);
  call.args.workspace = workspace.mutable_data_ptr();
  relu_max_pool_lrn_backward_cpu(call.args, parallel);
  return call.grad_x;
}

Tensor cross_entropy(Tensor logits, const Tensor& targets, const Tensor& scale, std::int64_t ignore_index,
                     bool gradient) {
  const CrossEntropyCall call = cross_entropy_call(logits, targets, scale, ignore_index, gradient);
  cross_entropy_cpu(call.params, torch_threads());
  return call.losses;
}

std::tuple<Tensor, Tensor> lstm_step(const Tensor& h, const Tensor& c, const Tensor& parents, const Tensor& weight_hh,
                                     const OptionalTensor& input, const OptionalTensor& weight_ih,
                                     const OptionalTensor& table, const OptionalTensor& words,
                                     const OptionalTensor& static_gates, const OptionalTensor& images) {
  LstmStepCall call(h, c, parents, weight_hh, input, weight_ih, table, words, static_gates, images);
  call.check_indices();
  const Parallel parallel = torch_threads();
  const Tensor workspace = workspace_of(h, lstm_step_workspace_cpu(call.params, parallel.threads));
  call.params.workspace = workspace.mutable_data_ptr();
  lstm_step_cpu(call.params, parallel);
  return {call.h_n, call.c_n};
}

std::tuple<Tensor, Tensor> vocabulary_top_k(const Tensor& hidden, const Tensor& weight, const OptionalTensor& bias,
                                            std::int64_t k, const OptionalTensor& forbidden) {
  VocabularyTopKCall call(hidden, weight, bias, k, forbidden);
  const Parallel parallel = torch_threads();
  const Tensor workspace = workspace_of(hidden, vocabulary_top_k_workspace_cpu(call.params, parallel.threads));
  call.params.workspace = workspace.mutable_data_ptr();
  vocabulary_top_k_cpu(call.params, parallel);
  return {call.log_probs, call.words};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lrcn_fast, CPU, m) {
  m.impl("lstm_forward", TORCH_BOX(&lstm_forward<Cpu>));
  m.impl("lstm_backward", TORCH_BOX(&lstm_backward<Cpu>));
  m.impl("lstm_scans_forward", TORCH_BOX(&lstm_scans_forward<Cpu>));
  m.impl("lstm_scans_backward", TORCH_BOX(&lstm_scans_backward<Cpu>));
  m.impl("lstm_cell_forward", TORCH_BOX(&lstm_cell_forward));
  m.impl("lstm_cell_backward", TORCH_BOX(&lstm_cell_backward));
  m.impl("frames_to_input", TORCH_BOX(&frames_to_input));
  m.impl("relu_max_pool_lrn_forward", TORCH_BOX(&relu_max_pool_lrn_forward));
  m.impl("relu_max_pool_lrn_backward", TORCH_BOX(&relu_max_pool_lrn_backward));
  m.impl("cross_entropy", TORCH_BOX(&cross_entropy));
  m.impl("lstm_step", TORCH_BOX(&lstm_step));
  m.impl("vocabulary_top_k", TORCH_BOX(&vocabulary_top_k));
}

}  // namespace lrcn_fast::bindings
