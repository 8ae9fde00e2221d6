#pragma once

#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// Loss of each row of scores, and its gradient in their place (Caffe's SoftmaxWithLoss):
//
//   losses[n] = log(sum over v of exp(logits[n][v])) - logits[n][targets[n]]
//   logits[n][v] = scale * (softmax(logits[n])[v] - (v == targets[n]))
//
// and zero in both where targets[n] == ignore_index. N rows, V words. Every buffer belongs to the caller, who keeps
// it alive until the launch has finished. A row whose target is neither ignored nor within 0..V-1 has the loss NaN.

namespace lrcn_fast {

struct CrossEntropy {
  DType dtype;         // of logits; losses and scale are double for kFloat64, else float
  std::int64_t rows;   // N, may be 0
  std::int64_t words;  // V

  void* logits;  // in and, with `gradient`, out (N, V), contiguous
  bool gradient;
  const std::int64_t* targets;  // in (N,)
  std::int64_t ignore_index;
  const void* scale;  // in, one number
  void* losses;       // out (N,)
};

void cross_entropy_cpu(const CrossEntropy& params, const Parallel& parallel);

// `stream` is a cudaStream_t of the calling thread's current device. Returns at once: a status other than kOk says
// that nothing was launched.
Status cross_entropy_cuda(const CrossEntropy& params, void* stream);

}  // namespace lrcn_fast
