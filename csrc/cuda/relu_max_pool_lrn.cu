#include "relu_max_pool_lrn_backward.cuh"
#include "relu_max_pool_lrn_forward.cuh"

namespace lrcn_fast {

Status relu_max_pool_lrn_forward_cuda(const ReluMaxPoolLrnForward& args, void* stream) {
  return cuda::relu_max_pool_lrn_forward(args, stream);
}

Status relu_max_pool_lrn_backward_cuda(const ReluMaxPoolLrnBackward& args, void* stream) {
  return cuda::relu_max_pool_lrn_backward(args, stream);
}

}  // namespace lrcn_fast
