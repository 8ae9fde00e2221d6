#include "vocabulary_top_k.cuh"

namespace lrcn_fast {

std::size_t vocabulary_top_k_workspace_cuda(const VocabularyTopK& params) {
  return cuda::vocabulary_top_k_workspace(params);
}

Status vocabulary_top_k_cuda(const VocabularyTopK& params, void* stream) {
  return cuda::vocabulary_top_k(params, stream);
}

}  // namespace lrcn_fast
