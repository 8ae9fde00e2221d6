#pragma once

#include <cstddef>
#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// The recurrence of one LSTM layer in one direction over a whole sequence.
//
// T steps, B rows, H hidden units, P width of the recurrent state (P = H without projection).
// Gates lie along 4H in the order i, f, g, o. A frame is a pair (t, b); its number in every
// contiguous (T,B,..) or (B,T,..) buffer is t * frame_step + b * frame_row.
// All buffers are the caller's, are of `dtype` unless stated, and may be reused after the call.
namespace lrcn_fast {

struct LstmShape {
  int64_t steps;      // T
  int64_t batch;      // B
  int64_t hidden;     // H
  int64_t projected;  // P
  int64_t frame_step;
  int64_t frame_row;
  DType dtype;
  bool reverse;  // scan from each row's last valid step down to 0

  const bool* cont;  // optional, frame (t, b) at t * cont_step + b * cont_row: false starts a sequence
  int64_t cont_step;
  int64_t cont_row;
  const int64_t* lengths;  // optional (B,), each within 0..T: checked by the caller

  const void* weight_hh;  // (4H, P) contiguous
  const void* weight_hr;  // (P, H) contiguous; null when P = H without projection
};

struct LstmForward {
  LstmShape shape;
  const void* gates;  // input projection and biases; frame (t, b) at t * gates_step + b * gates_row
  int64_t gates_step;
  int64_t gates_row;
  const void* static_gates;  // optional (B, 4H), added at every step
  const void* h0;            // optional (B, P)
  const void* c0;            // optional (B, H)
  void* output;              // (frames, P), zero past the lengths
  void* h_n;                 // (B, P)
  void* c_n;                 // (B, H)
  void* cells;               // optional (frames, H), zero past the lengths
  void* activations;         // optional (frames, 4H): sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
  void* workspace;           // lstm_*workspace_*() bytes, contents irrelevant; 64-byte aligned for the
                             // CPU, 256-byte aligned for CUDA
};

struct LstmBackward {
  LstmShape shape;
  const void* grad_output;  // optional; frame (t, b) at t * grad_output_step + b * grad_output_row
  int64_t grad_output_step;
  int64_t grad_output_row;
  const void* grad_cells;  // optional; frame (t, b) at t * grad_cells_step + b * grad_cells_row
  int64_t grad_cells_step;
  int64_t grad_cells_row;
  const void* grad_h_n;     // optional (B, P)
  const void* grad_c_n;     // optional (B, H)
  const void* activations;  // (frames, 4H) of the forward
  const void* cells;        // (frames, H) of the forward
  const void* c0;           // optional (B, H)
  void* grad_gates;         // (frames, 4H), zero past the lengths
  void* grad_h0;            // (B, P)
  void* grad_c0;            // (B, H)
  void* grad_hidden;        // (frames, P) gradient at the projected state; null without projection
  void* workspace;          // as above
};

size_t lstm_forward_workspace_cpu(const LstmShape& shape);
size_t lstm_backward_workspace_cpu(const LstmShape& shape);
void lstm_forward_cpu(const LstmForward& args, const Parallel& parallel);
void lstm_backward_cpu(const LstmBackward& args, const Parallel& parallel);

// Several scans of the same sizes of which none needs another's results.
void lstm_scans_forward_cpu(const LstmForward* scans, int64_t count, const Parallel& parallel);
void lstm_scans_backward_cpu(const LstmBackward* scans, int64_t count, const Parallel& parallel);

// How CUDA multiplies float32: as it is, or on tensor cores as one or three TF32 products for each.
enum class Float32Products : std::int32_t { kFloat32 = 0, kTf32 = 1, kTf32x3 = 3 };

// W_hh as (P, 4H), and with a projection W_hr as (H, P), both contiguous.
struct TransposedWeights {
  const void* hh;
  const void* hr;
};

// Makes those of a scan on the stream of the call. They are asked for only where one launch a step runs, at most once
// for each scan, and live until the call returns.
struct Transposer {
  TransposedWeights (*transpose)(void* context, int scan);
  void* context;
};

struct LstmPlan;

// Scans that a launch takes at most: one layer in one direction each, over a sequence or a part of it.
constexpr int kMostScans = 4;

// `count` scans on `stream`, a cudaStream_t of the calling thread's current device. They share dtype, B, H and P;
// T, direction, layout, buffers, cont and lengths are each scan's own, and none reads what another writes. `plan` comes
// from plan_lstm(); scans that the device cannot run together after all run one after the other, and where it cannot
// run what the plan says at all, one launch a step (two with a projection) does. They return at once: a status other
// than kOk says that a launch was refused. Lengths outside 0..T count as the nearest end.
size_t lstm_workspace_cuda(const LstmForward& scan, const LstmPlan& plan);
size_t lstm_workspace_cuda(const LstmBackward& scan, const LstmPlan& plan);
Status lstm_forward_cuda(const LstmForward* scans, int count, Float32Products products, const LstmPlan& plan,
                         void* stream);
Status lstm_backward_cuda(const LstmBackward* scans, int count, const Transposer& transposer, Float32Products products,
                          const LstmPlan& plan, void* stream);

}  // namespace lrcn_fast
