#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "launch.cuh"
#include "lrcn_fast/lstm_cell.h"
#include "numeric.cuh"

// Pointwise, so bound by memory: one thread per (row, hidden unit), neighbours in a warp read neighbours in
// memory for each of the four gates.

namespace lrcn_fast {
namespace {

template <typename T>
__global__ void forward_kernel(LstmCellForward p) {
  using Real = typename Numeric<T>::Real;
  const std::int64_t hidden = p.hidden;
  const std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (unit >= hidden) return;

  for (std::int64_t row = first_row(); row < p.batch; row += row_step()) {
    const T* gates = static_cast<const T*>(p.gates) + row * p.gates_stride + unit;
    const Real i = sigmoid(Numeric<T>::load(gates));
    const Real f = sigmoid(Numeric<T>::load(gates + hidden));
    const Real g = hyperbolic_tangent(Numeric<T>::load(gates + 2 * hidden));
    const Real o = sigmoid(Numeric<T>::load(gates + 3 * hidden));

    const Real c0 = load_or_zero<T>(p.c0, row * p.c0_stride + unit);
    const Real c = f * c0 + i * g;
    Numeric<T>::store(static_cast<T*>(p.c) + row * hidden + unit, c);
    Numeric<T>::store(static_cast<T*>(p.h) + row * hidden + unit, o * hyperbolic_tangent(c));

    T* activations = static_cast<T*>(p.activations) + row * 4 * hidden + unit;
    Numeric<T>::store(activations, i);
    Numeric<T>::store(activations + hidden, f);
    Numeric<T>::store(activations + 2 * hidden, g);
    Numeric<T>::store(activations + 3 * hidden, o);
  }
}

template <typename T>
__global__ void backward_kernel(LstmCellBackward p) {
  using Real = typename Numeric<T>::Real;
  const std::int64_t hidden = p.hidden;
  const std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (unit >= hidden) return;

  for (std::int64_t row = first_row(); row < p.batch; row += row_step()) {
    const T* activations = static_cast<const T*>(p.activations) + row * p.activations_stride + unit;
    const Real i = Numeric<T>::load(activations);
    const Real f = Numeric<T>::load(activations + hidden);
    const Real g = Numeric<T>::load(activations + 2 * hidden);
    const Real o = Numeric<T>::load(activations + 3 * hidden);
    const Real tanh_c = hyperbolic_tangent(Numeric<T>::load(static_cast<const T*>(p.c) + row * p.c_stride + unit));
    const Real c0 = load_or_zero<T>(p.c0, row * p.c0_stride + unit);

    const Real grad_h = load_or_zero<T>(p.grad_h, row * p.grad_h_stride + unit);
    const Real grad_c =
        load_or_zero<T>(p.grad_c, row * p.grad_c_stride + unit) + grad_h * o * (Real(1) - tanh_c * tanh_c);

    T* grad_gates = static_cast<T*>(p.grad_gates) + row * 4 * hidden + unit;
    Numeric<T>::store(grad_gates, grad_c * g * i * (Real(1) - i));
    Numeric<T>::store(grad_gates + hidden, grad_c * c0 * f * (Real(1) - f));
    Numeric<T>::store(grad_gates + 2 * hidden, grad_c * i * (Real(1) - g * g));
    Numeric<T>::store(grad_gates + 3 * hidden, grad_h * tanh_c * o * (Real(1) - o));
    Numeric<T>::store(static_cast<T*>(p.grad_c0) + row * hidden + unit, grad_c * f);
  }
}

}  // namespace

Status lstm_cell_forward_cuda(const LstmCellForward& params, void* stream) {
  return launch_over_rows(params, stream, [](auto element) { return forward_kernel<decltype(element)>; });
}

Status lstm_cell_backward_cuda(const LstmCellBackward& params, void* stream) {
  return launch_over_rows(params, stream, [](auto element) { return backward_kernel<decltype(element)>; });
}

}  // namespace lrcn_fast
