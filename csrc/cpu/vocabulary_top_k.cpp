#include "lrcn_fast/vocabulary_top_k.h"

#include "kernels.h"

namespace lrcn_fast {

std::size_t vocabulary_top_k_workspace_cpu(const VocabularyTopK& params, std::int64_t threads) {
  return cpu::kernels().vocabulary_top_k_workspace(params, threads);
}

void vocabulary_top_k_cpu(const VocabularyTopK& params, const Parallel& parallel) {
  cpu::kernels().vocabulary_top_k(params, parallel);
}

}  // namespace lrcn_fast
