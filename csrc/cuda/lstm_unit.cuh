#pragma once

#include "lstm_scan.cuh"
#include "numeric.cuh"

// One hidden unit of one row at one step: all of it that is no product. What a step needs from memory is loaded
// by a call of its own, so that a kernel can ask for it before it has the sums.

namespace lrcn_fast::cuda {

template <class T>
struct UnitForward {
  Real<T> gates[4];  // pre-activations without the recurrent sums
  bool carried = false;

  __device__ void load(const LstmForward& args, std::int64_t t, std::int64_t b, std::int64_t unit,
                       std::int64_t length) {
    const std::int64_t hidden = args.shape.hidden;
    const T* source = static_cast<const T*>(args.gates) + t * args.gates_step + b * args.gates_row + unit;
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      gates[q] = to_real(load_constant(source + q * hidden));
      if (args.static_gates == nullptr) continue;
      const T* static_gates = static_cast<const T*>(args.static_gates) + b * 4 * hidden + unit;
      gates[q] += to_real(load_constant(static_gates + q * hidden));
    }
    carried = carried_into(args.shape, t, b, length);
  }

  // recurrent(q): the recurrent sum of gate q. c: the cell state before the step, then after it. Writes what the
  // step saves, except the output, and returns that.
  template <class Recurrent>
  __device__ T advance(const LstmForward& args, std::int64_t t, std::int64_t b, std::int64_t unit, bool ends,
                       Recurrent recurrent, Real<T>& c) {
    // Selected, not multiplied by zero: a NaN of the sequence before must not live on.
    if (carried) {
#pragma unroll
      for (int q = 0; q < 4; ++q) gates[q] += recurrent(q);
    }
    gates[0] = sigmoid(gates[0]);
    gates[1] = sigmoid(gates[1]);
    gates[2] = hyperbolic_tangent(gates[2]);
    gates[3] = sigmoid(gates[3]);
    c = (carried ? gates[1] * c : Real<T>(0)) + gates[0] * gates[2];
    save(args, t, b, unit, c);
    if (ends) store_real(static_cast<T*>(args.c_n) + b * args.shape.hidden + unit, c);
    return to_storage<T>(gates[3] * hyperbolic_tangent(c));
  }

  // Of a step past the row's length.
  __device__ void save_zeros(const LstmForward& args, std::int64_t t, std::int64_t b, std::int64_t unit) {
#pragma unroll
    for (int q = 0; q < 4; ++q) gates[q] = 0;
    save(args, t, b, unit, 0);
  }

 private:
  __device__ void save(const LstmForward& args, std::int64_t t, std::int64_t b, std::int64_t unit, Real<T> c) const {
    const std::int64_t hidden = args.shape.hidden, frame = frame_of(args.shape, t, b);
    if (args.cells != nullptr) store_real(static_cast<T*>(args.cells) + frame * hidden + unit, c);
    if (args.activations == nullptr) return;
    T* activations = static_cast<T*>(args.activations) + frame * 4 * hidden + unit;
#pragma unroll
    for (int q = 0; q < 4; ++q) store_real(activations + q * hidden, gates[q]);
  }
};

template <class T>
struct UnitBackward {
  Real<T> i, f, g, o, c, c_before;
  Real<T> grad_h, grad_c;  // what the caller gave
  bool carried = false;

  // of_output: whether h is the output, whose gradients the caller gave; with a projection it is not.
  __device__ void load(const LstmBackward& args, std::int64_t t, std::int64_t b, std::int64_t unit, std::int64_t length,
                       bool begins, bool ends, bool of_output = true) {
    const LstmShape& shape = args.shape;
    const std::int64_t hidden = shape.hidden, frame = frame_of(shape, t, b), at = b * hidden + unit;
    const T* activations = static_cast<const T*>(args.activations) + frame * 4 * hidden + unit;
    const T* cells = static_cast<const T*>(args.cells) + unit;
    i = to_real(load_constant(activations));
    f = to_real(load_constant(activations + hidden));
    g = to_real(load_constant(activations + 2 * hidden));
    o = to_real(load_constant(activations + 3 * hidden));
    c = to_real(load_constant(cells + frame * hidden));
    carried = carried_into(shape, t, b, length);
    const T before = begins ? element_or_zero<T>(args.c0, at)
                            : load_constant(cells + frame_of(shape, step_before(shape, t), b) * hidden);
    c_before = carried ? to_real(before) : Real<T>(0);
    grad_h = 0;
    grad_c = 0;
    if (of_output && args.grad_output != nullptr) {
      const std::int64_t offset = t * args.grad_output_step + b * args.grad_output_row + unit;
      grad_h = to_real(load_constant(static_cast<const T*>(args.grad_output) + offset));
    }
    if (args.grad_cells != nullptr) {
      const std::int64_t offset = t * args.grad_cells_step + b * args.grad_cells_row + unit;
      grad_c = to_real(load_constant(static_cast<const T*>(args.grad_cells) + offset));
    }
    if (!ends) return;
    if (of_output) grad_h += to_real(element_or_zero<T>(args.grad_h_n, at));
    grad_c += to_real(element_or_zero<T>(args.grad_c_n, at));
  }

  // recurrent: what the step after handed back to h; handed_back: to c, then what this step hands back.
  __device__ void retreat(Real<T> recurrent, Real<T>& handed_back, Real<T> (&grads)[4]) {
    const Real<T> tanh_c = hyperbolic_tangent(c);
    const Real<T> at_h = grad_h + recurrent;
    const Real<T> at_c = handed_back + grad_c + at_h * o * (1 - tanh_c * tanh_c);
    grads[0] = at_c * g * i * (1 - i);
    grads[1] = at_c * c_before * f * (1 - f);
    grads[2] = at_c * i * (1 - g * g);
    grads[3] = at_h * tanh_c * o * (1 - o);
    handed_back = carried ? at_c * f : Real<T>(0);
  }
};

}  // namespace lrcn_fast::cuda
