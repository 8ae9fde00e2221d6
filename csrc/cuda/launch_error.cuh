#pragma once

#include <cuda_runtime.h>

#include "lrcn_fast/launch_error.h"

namespace lrcn_fast {

// What launch_error() says from now on, on the calling thread.
void set_launch_error(cudaError_t error);

}  // namespace lrcn_fast
