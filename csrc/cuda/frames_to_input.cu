#include "frames_to_input.cuh"

namespace lrcn_fast {

Status frames_to_input_cuda(const FramesToInput& params, void* stream) { return cuda::frames_to_input(params, stream); }

}  // namespace lrcn_fast
