#include "lstm_step.cuh"

namespace lrcn_fast {

Status lstm_step_cuda(const LstmStep& params, void* stream) { return cuda::lstm_step(params, stream); }

}  // namespace lrcn_fast
