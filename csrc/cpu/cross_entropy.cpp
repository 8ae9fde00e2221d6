#include "lrcn_fast/cross_entropy.h"

#include "kernels.h"

namespace lrcn_fast {

void cross_entropy_cpu(const CrossEntropy& params, const Parallel& parallel) {
  cpu::kernels().cross_entropy(params, parallel);
}

}  // namespace lrcn_fast
