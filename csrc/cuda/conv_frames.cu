#include "conv_frames.cuh"

namespace lrcn_fast {

Status conv_frames_cuda(const ConvFrames& params, void* stream) { return cuda::conv_frames(params, stream); }

}  // namespace lrcn_fast
