#pragma once

#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast {

// Of the calling thread's current device; false where there is none.
bool present_gpu(GpuProperties* gpu);

}  // namespace lrcn_fast
