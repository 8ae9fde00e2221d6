#pragma once

#include <cstddef>
#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// One LSTM step of a search. Each of N rows goes on from the state of its parent, one of the M rows of the step
// before, or begins with zeros:
//
//   gates = weight_hh h[parents[n]] + weight_ih input[n] + table[words[n]] + static_gates[images[n]]
//   c_n = sigmoid(f) c[parents[n]] + sigmoid(i) tanh(g)        gate order i, f, g, o along 4H
//   h_n = sigmoid(o) tanh(c_n)
//
// A term whose matrix is null is left out. Every buffer is row-major and contiguous, has elements of `dtype` unless it
// holds indices, and belongs to the caller, who keeps it alive until the launch has finished. Outputs overlap no
// input. Indices lie within their matrix, which the caller has checked where it can.

namespace lrcn_fast {

struct LstmStep {
  DType dtype;
  std::int64_t rows;     // N, may be 0
  std::int64_t parents;  // M
  std::int64_t hidden;   // H
  std::int64_t inputs;   // I

  const void* h;               // in (M, H)
  const void* c;               // in (M, H)
  const std::int64_t* parent;  // in (N,), below M; negative: the row begins
  const void* weight_hh;       // in (4H, H)
  const void* input;           // in (N, I), or null
  const void* weight_ih;       // in (4H, I), null with input
  const void* table;           // in (R, 4H), or null
  const std::int64_t* word;    // in (N,), within 0..R-1, null with table
  const void* static_gates;    // in (S, 4H), or null
  const std::int64_t* image;   // in (N,), within 0..S-1, null with static_gates

  void* h_n;  // out (N, H)
  void* c_n;  // out (N, H)

  void* workspace;  // of the launch alone, lstm_step_workspace_cpu bytes, for CUDA null
};

// Products of parents that several rows share are formed once.
std::size_t lstm_step_workspace_cpu(const LstmStep& params, std::int64_t threads);
void lstm_step_cpu(const LstmStep& params, const Parallel& parallel);

// `stream` is a cudaStream_t of the calling thread's current device. Returns at once: a status other than kOk says
// that nothing was launched.
Status lstm_step_cuda(const LstmStep& params, void* stream);

}  // namespace lrcn_fast
