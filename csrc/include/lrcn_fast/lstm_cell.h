#pragma once

#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// One LSTM step without its matrix products (Hochreiter & Schmidhuber 1997; Caffe's LSTMUnit layer):
//
//   i, f, o = sigmoid(gates), g = tanh(gates)      gate order i, f, g, o along 4H
//   c = f * c0 + i * g
//   h = o * tanh(c)
//
// B is the batch, H the hidden size. Every buffer has elements of `dtype`, is row-major with a unit last
// stride, and belongs to the caller, who keeps it alive until the launch has finished: on return for the
// CPU, when the stream has passed the launch for CUDA. A `_stride` is the distance between two rows in
// elements; buffers without one are contiguous. Outputs overlap neither each other nor any input. B and H
// may be zero: nothing is read or written.

namespace lrcn_fast {

struct LstmCellForward {
  DType dtype;
  std::int64_t batch;   // B
  std::int64_t hidden;  // H

  const void* gates;  // in (B, 4H), pre-activations, biases included
  std::int64_t gates_stride;
  const void* c0;  // in (B, H), or null for zeros
  std::int64_t c0_stride;

  void* h;            // out (B, H)
  void* c;            // out (B, H)
  void* activations;  // out (B, 4H): sigmoid(i), sigmoid(f), tanh(g), sigmoid(o), what the backward needs
};

// Gradients of the step above. tanh(c) is computed anew from c, which is cheaper than to store it.
struct LstmCellBackward {
  DType dtype;
  std::int64_t batch;   // B
  std::int64_t hidden;  // H

  const void* grad_h;  // in (B, H), or null for zeros
  std::int64_t grad_h_stride;
  const void* grad_c;  // in (B, H), or null for zeros
  std::int64_t grad_c_stride;
  const void* activations;  // in (B, 4H), as the forward wrote them
  std::int64_t activations_stride;
  const void* c;  // in (B, H), as the forward wrote it
  std::int64_t c_stride;
  const void* c0;  // in (B, H), or null for zeros
  std::int64_t c0_stride;

  void* grad_gates;  // out (B, 4H)
  void* grad_c0;     // out (B, H), written also when c0 is null
};

void lstm_cell_forward_cpu(const LstmCellForward& params, const Parallel& parallel);
void lstm_cell_backward_cpu(const LstmCellBackward& params, const Parallel& parallel);

// `stream` is a cudaStream_t of the calling thread's current device. Both return at once: a status other
// than kOk says that nothing was launched.
Status lstm_cell_forward_cuda(const LstmCellForward& params, void* stream);
Status lstm_cell_backward_cuda(const LstmCellBackward& params, void* stream);

}  // namespace lrcn_fast
