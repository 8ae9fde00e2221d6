#pragma once

#include <cstddef>
#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// ReLU, max-pooling and local response normalisation (LRN) of a batch of frames (Caffe's ReLU, Pooling and
// LRN layers across channels), in one pass:
//
//   pool-first   v = max over the window of x, then max(v, 0); output = v / s^beta at each pooled pixel
//   LRN-first    v = max(x, 0), u = v / s^beta at each pixel; output = max over the window of u
//   with         s = k + alpha / lrn_size * (sum of v^2 over lrn_size channels around)
//
// N frames, C channels, Y rows, X columns, Yp x Xp the pooled map. All maps of a call are dense and in one
// memory format, (N, C, Y, X) or channels-last (N, Y, X, C); they have elements of `dtype`, the index has
// bytes. They are the caller's and may be reused after the launch has finished; outputs overlap nothing.
// An index is the place in its window of a pooled value, row by row, or kBlockedPlace. A NaN in a window wins,
// the last one; of equal values the first wins. N may be zero.

namespace lrcn_fast {

// Places are below it; pool-first, it says that the ReLU has made the window's largest value zero.
inline constexpr std::int64_t kBlockedPlace = 255;

struct ReluMaxPoolLrnShape {
  DType dtype;
  bool channels_last;
  std::int64_t frames;              // N
  std::int64_t channels;            // C
  std::int64_t height, width;       // Y, X
  std::int64_t pooled_height;       // Yp
  std::int64_t pooled_width;        // Xp
  std::int64_t kernel_y, kernel_x;  // all four 1: no pooling
  std::int64_t stride_y, stride_x;
  std::int64_t lrn_size;  // odd; 0: no LRN
  double alpha, beta, k;
  bool relu;
  bool lrn_first;  // false without LRN

  bool pools() const { return kernel_y * kernel_x * stride_y * stride_x != 1; }
  bool normalizes() const { return lrn_size != 0; }
  // Whether the backward starts from x; else from the pooled values, if there is LRN, and the index.
  bool starts_from_input() const { return lrn_first || !pools(); }
};

struct ReluMaxPoolLrnForward {
  ReluMaxPoolLrnShape shape;
  const void* x;        // (N, C, Y, X)
  void* output;         // (N, C, Yp, Xp)
  void* pooled;         // optional (N, C, Yp, Xp): v, for pool-first with LRN
  std::uint8_t* index;  // optional (N, C, Yp, Xp), with pooling
  void* workspace;      // relu_max_pool_lrn_forward_workspace_cpu() bytes, 64-byte aligned; unused by CUDA
};

struct ReluMaxPoolLrnBackward {
  ReluMaxPoolLrnShape shape;
  const void* grad;           // (N, C, Yp, Xp), gradient at the output
  const void* values;         // x or the pooled values of the forward, as starts_from_input() says
  const std::uint8_t* index;  // (N, C, Yp, Xp) of the forward, with pooling
  void* grad_x;               // (N, C, Y, X)
  void* workspace;            // relu_max_pool_lrn_backward_workspace_cpu() bytes, aligned as above
};

std::size_t relu_max_pool_lrn_forward_workspace_cpu(const ReluMaxPoolLrnShape& shape, std::int64_t threads);
std::size_t relu_max_pool_lrn_backward_workspace_cpu(const ReluMaxPoolLrnShape& shape, std::int64_t threads);
void relu_max_pool_lrn_forward_cpu(const ReluMaxPoolLrnForward& args, const Parallel& parallel);
void relu_max_pool_lrn_backward_cpu(const ReluMaxPoolLrnBackward& args, const Parallel& parallel);

// `stream` is a cudaStream_t of the calling thread's current device. Both return at once: a status other than kOk says
// that nothing was launched; kInvalidSize also where a window of LRN holds more channels, thousands of them, than fit
// into a block's shared memory.
Status relu_max_pool_lrn_forward_cuda(const ReluMaxPoolLrnForward& args, void* stream);
Status relu_max_pool_lrn_backward_cuda(const ReluMaxPoolLrnBackward& args, void* stream);

}  // namespace lrcn_fast
