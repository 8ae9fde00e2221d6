#pragma once

#include <cstddef>
#include <cstdint>

#include "lrcn_fast/parallel.h"
#include "lrcn_fast/types.h"

// The most probable next words: vocabulary product, log-sum-exp and selection in one, without the scores (N, V) in
// memory.
//
//   scores[n] = weight hidden[n] + bias
//   words[n] = the k words v of the greatest scores[n][v] that are not forbidden, best first; of equal scores the lower
//   log_probs[n] = scores[n][words[n]] - log(sum over all v of exp(scores[n][v]))
//
// NaN ranks as -inf does, below every other score and above what is forbidden. Where there are fewer words than k: -1
// and -inf. Every buffer is contiguous and belongs to the caller, who keeps it alive until the launch has finished.

namespace lrcn_fast {

struct VocabularyTopK {
  DType dtype;          // of hidden, weight and bias; log_probs are double for kFloat64, else float
  std::int64_t rows;    // N, may be 0
  std::int64_t hidden;  // H
  std::int64_t words;   // V >= 1
  std::int64_t k;       // >= 1

  const void* states;     // in (N, H)
  const void* weight;     // in (V, H)
  const void* bias;       // in (V,), or null for zeros
  const bool* forbidden;  // in (V,), or null for none

  void* log_probs;      // out (N, k)
  std::int64_t* found;  // out (N, k)

  void* workspace;  // of the launch alone
};

std::size_t vocabulary_top_k_workspace_cpu(const VocabularyTopK& params, std::int64_t threads);
void vocabulary_top_k_cpu(const VocabularyTopK& params, const Parallel& parallel);

// `stream` is a cudaStream_t of the calling thread's current device. Returns at once; a status other than kOk says that
// not everything was launched.
std::size_t vocabulary_top_k_workspace_cuda(const VocabularyTopK& params);
Status vocabulary_top_k_cuda(const VocabularyTopK& params, void* stream);

}  // namespace lrcn_fast
