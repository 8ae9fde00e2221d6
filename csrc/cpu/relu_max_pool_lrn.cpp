#include "lrcn_fast/relu_max_pool_lrn.h"

#include "kernels.h"

namespace lrcn_fast {

std::size_t relu_max_pool_lrn_forward_workspace_cpu(const ReluMaxPoolLrnShape& shape, std::int64_t threads) {
  return cpu::kernels().relu_max_pool_lrn_forward_workspace(shape, threads);
}

std::size_t relu_max_pool_lrn_backward_workspace_cpu(const ReluMaxPoolLrnShape& shape, std::int64_t threads) {
  return cpu::kernels().relu_max_pool_lrn_backward_workspace(shape, threads);
}

void relu_max_pool_lrn_forward_cpu(const ReluMaxPoolLrnForward& args, const Parallel& parallel) {
  cpu::kernels().relu_max_pool_lrn_forward(args, parallel);
}

void relu_max_pool_lrn_backward_cpu(const ReluMaxPoolLrnBackward& args, const Parallel& parallel) {
  cpu::kernels().relu_max_pool_lrn_backward(args, parallel);
}

}  // namespace lrcn_fast
