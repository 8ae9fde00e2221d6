#include "relu_max_pool_lrn.h"

#include "element.h"
#include "relu_max_pool_lrn_backward.h"
#include "relu_max_pool_lrn_forward.h"

namespace lrcn_fast::cpu::LRCN_ISA {

size_t relu_max_pool_lrn_forward_workspace(const ReluMaxPoolLrnShape& shape, int64_t threads) {
  ReluMaxPoolLrnForward args{};
  args.shape = shape;
  return with_dtype(shape.dtype, [&](auto element) {
    return ReluMaxPoolLrnForwardJob<typename decltype(element)::Type>(args, threads).workspace_bytes();
  });
}

size_t relu_max_pool_lrn_backward_workspace(const ReluMaxPoolLrnShape& shape, int64_t threads) {
  ReluMaxPoolLrnBackward args{};
  args.shape = shape;
  return with_dtype(shape.dtype, [&](auto element) {
    return ReluMaxPoolLrnBackwardJob<typename decltype(element)::Type>(args, threads).workspace_bytes();
  });
}

void relu_max_pool_lrn_forward(const ReluMaxPoolLrnForward& args, const Parallel& parallel) {
  with_dtype(args.shape.dtype, [&](auto element) {
    ReluMaxPoolLrnForwardJob<typename decltype(element)::Type>(args, parallel.threads).run(parallel);
  });
}

void relu_max_pool_lrn_backward(const ReluMaxPoolLrnBackward& args, const Parallel& parallel) {
  with_dtype(args.shape.dtype, [&](auto element) {
    ReluMaxPoolLrnBackwardJob<typename decltype(element)::Type>(args, parallel.threads).run(parallel);
  });
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
