#pragma once

#include "lrcn_fast/lstm_cell.h"
#include "numeric.cuh"
#include "rows.cuh"

// The kernels of lstm_cell.h. Pointwise, so bound by memory.

namespace lrcn_fast::cuda {

template <class T>
__global__ void lstm_cell_forward_kernel(OverRows<LstmCellForward> over) {
  const LstmCellForward& p = over.params;
  const std::int64_t hidden = p.hidden, unit = over.unit();
  if (unit >= hidden) return;

  for (std::int64_t row = over.first_row(); row < p.batch; row += over.row_step()) {
    const T* gates = static_cast<const T*>(p.gates) + row * p.gates_stride + unit;
    const Real<T> i = sigmoid(load_real(gates));
    const Real<T> f = sigmoid(load_real(gates + hidden));
    const Real<T> g = hyperbolic_tangent(load_real(gates + 2 * hidden));
    const Real<T> o = sigmoid(load_real(gates + 3 * hidden));

    const Real<T> c0 = load_or_zero<T>(p.c0, row * p.c0_stride + unit);
    const Real<T> c = f * c0 + i * g;
    store_real(static_cast<T*>(p.c) + row * hidden + unit, c);
    store_real(static_cast<T*>(p.h) + row * hidden + unit, o * hyperbolic_tangent(c));

    T* activations = static_cast<T*>(p.activations) + row * 4 * hidden + unit;
    store_real(activations, i);
    store_real(activations + hidden, f);
    store_real(activations + 2 * hidden, g);
    store_real(activations + 3 * hidden, o);
  }
}

template <class T>
__global__ void lstm_cell_backward_kernel(OverRows<LstmCellBackward> over) {
  const LstmCellBackward& p = over.params;
  const std::int64_t hidden = p.hidden, unit = over.unit();
  if (unit >= hidden) return;

  for (std::int64_t row = over.first_row(); row < p.batch; row += over.row_step()) {
    const T* activations = static_cast<const T*>(p.activations) + row * p.activations_stride + unit;
    const Real<T> i = load_real(activations);
    const Real<T> f = load_real(activations + hidden);
    const Real<T> g = load_real(activations + 2 * hidden);
    const Real<T> o = load_real(activations + 3 * hidden);
    const Real<T> tanh_c = hyperbolic_tangent(load_real(static_cast<const T*>(p.c) + row * p.c_stride + unit));
    const Real<T> c0 = load_or_zero<T>(p.c0, row * p.c0_stride + unit);

    const Real<T> grad_h = load_or_zero<T>(p.grad_h, row * p.grad_h_stride + unit);
    const Real<T> grad_c =
        load_or_zero<T>(p.grad_c, row * p.grad_c_stride + unit) + grad_h * o * (Real<T>(1) - tanh_c * tanh_c);

    T* grad_gates = static_cast<T*>(p.grad_gates) + row * 4 * hidden + unit;
    store_real(grad_gates, grad_c * g * i * (Real<T>(1) - i));
    store_real(grad_gates + hidden, grad_c * c0 * f * (Real<T>(1) - f));
    store_real(grad_gates + 2 * hidden, grad_c * i * (Real<T>(1) - g * g));
    store_real(grad_gates + 3 * hidden, grad_h * tanh_c * o * (Real<T>(1) - o));
    store_real(static_cast<T*>(p.grad_c0) + row * hidden + unit, grad_c * f);
  }
}

inline Status lstm_cell_forward(const LstmCellForward& params, void* stream) {
  return launch_over_rows(params, stream, [](auto element) { return lstm_cell_forward_kernel<decltype(element)>; });
}

inline Status lstm_cell_backward(const LstmCellBackward& params, void* stream) {
  return launch_over_rows(params, stream, [](auto element) { return lstm_cell_backward_kernel<decltype(element)>; });
}

}  // namespace lrcn_fast::cuda
