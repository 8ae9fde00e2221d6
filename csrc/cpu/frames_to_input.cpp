#include "lrcn_fast/frames_to_input.h"

#include "kernels.h"

namespace lrcn_fast {

void frames_to_input_cpu(const FramesToInput& params, const Parallel& parallel) {
  cpu::kernels().frames_to_input(params, parallel);
}

}  // namespace lrcn_fast
