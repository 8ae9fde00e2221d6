#pragma once

#include "lrcn_fast/relu_max_pool_lrn.h"

namespace lrcn_fast::cpu::LRCN_ISA {

size_t relu_max_pool_lrn_forward_workspace(const ReluMaxPoolLrnShape& shape, int64_t threads);
size_t relu_max_pool_lrn_backward_workspace(const ReluMaxPoolLrnShape& shape, int64_t threads);
void relu_max_pool_lrn_forward(const ReluMaxPoolLrnForward& args, const Parallel& parallel);
void relu_max_pool_lrn_backward(const ReluMaxPoolLrnBackward& args, const Parallel& parallel);

}  // namespace lrcn_fast::cpu::LRCN_ISA
