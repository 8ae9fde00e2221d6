#include "lrcn_fast/lstm_step.h"

#include "kernels.h"

namespace lrcn_fast {

std::size_t lstm_step_workspace_cpu(const LstmStep& params, std::int64_t threads) {
  return cpu::kernels().lstm_step_workspace(params, threads);
}

void lstm_step_cpu(const LstmStep& params, const Parallel& parallel) { cpu::kernels().lstm_step(params, parallel); }

}  // namespace lrcn_fast
