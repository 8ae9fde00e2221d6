#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "lstm_scans.h"

// The functions of the ops lstm and lstm_scans. A device has forward(op, calls, tf32) and backward(op, calls, tf32),
// which run the kernels.
namespace lrcn_fast::bindings {

template <class Device>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> lstm_forward(
    const Tensor& gates, const Tensor& weight_hh, const OptionalTensor& weight_hr, const OptionalTensor& static_gates,
    const OptionalTensor& h0, const OptionalTensor& c0, const OptionalTensor& cont, const OptionalTensor& lengths,
    bool reverse, bool batch_first, bool save_cells, bool save_activations, std::int64_t tf32) {
  std::vector<LstmForwardCall> calls;
  calls.emplace_back("lstm_forward", gates, weight_hh, weight_hr, static_gates, h0, c0, cont, lengths, reverse,
                     batch_first, save_cells, save_activations);
  Device::forward("lstm_forward", calls, tf32);
  return calls[0].results();
}

template <class Device>
std::tuple<Tensor, Tensor, Tensor, Tensor> lstm_backward(const OptionalTensor& grad_output,
                                                         const OptionalTensor& grad_h_n, const OptionalTensor& grad_c_n,
                                                         const OptionalTensor& grad_cells, const Tensor& activations,
                                                         const Tensor& cells, const Tensor& weight_hh,
                                                         const OptionalTensor& weight_hr, const OptionalTensor& c0,
                                                         const OptionalTensor& cont, const OptionalTensor& lengths,
                                                         bool reverse, bool batch_first, std::int64_t tf32) {
  std::vector<LstmBackwardCall> calls;
  calls.emplace_back("lstm_backward", grad_output, grad_h_n, grad_c_n, grad_cells, activations, cells, weight_hh,
                     weight_hr, c0, cont, lengths, reverse, batch_first);
  Device::backward("lstm_backward", calls, tf32);
  return calls[0].results();
}

template <class Device>
std::tuple<Tensors, Tensors, Tensors, Tensors, Tensors> lstm_scans_forward(
    const Tensors& gates, const Tensors& weight_hh, const Tensors& weight_hr, const Tensors& static_gates,
    const Tensors& h0, const Tensors& c0, const Tensors& cont, const Tensors& lengths, const std::vector<bool>& reverse,
    bool batch_first, bool save_cells, bool save_activations, std::int64_t tf32) {
  LstmScansForward scans(gates, weight_hh, weight_hr, static_gates, h0, c0, cont, lengths, reverse, batch_first,
                         save_cells, save_activations);
  Device::forward(LstmScansForward::kOp, scans.calls, tf32);
  return scans.results();
}

template <class Device>
std::tuple<Tensors, Tensors, Tensors, Tensors> lstm_scans_backward(
    const Tensors& grad_output, const Tensors& grad_h_n, const Tensors& grad_c_n, const Tensors& grad_cells,
    const Tensors& activations, const Tensors& cells, const Tensors& weight_hh, const Tensors& weight_hr,
    const Tensors& c0, const Tensors& cont, const Tensors& lengths, const std::vector<bool>& reverse, bool batch_first,
    std::int64_t tf32) {
  LstmScansBackward scans(grad_output, grad_h_n, grad_c_n, grad_cells, activations, cells, weight_hh, weight_hr, c0,
                          cont, lengths, reverse, batch_first);
  Device::backward(LstmScansBackward::kOp, scans.calls, tf32);
  return scans.results();
}

}  // namespace lrcn_fast::bindings
