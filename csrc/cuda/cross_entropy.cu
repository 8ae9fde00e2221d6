#include "cross_entropy.cuh"

namespace lrcn_fast {

Status cross_entropy_cuda(const CrossEntropy& params, void* stream) { return cuda::cross_entropy(params, stream); }

}  // namespace lrcn_fast
