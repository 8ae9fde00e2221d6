#pragma once

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"

namespace lrcn_fast::cuda {

inline void wait_for_previous_launch() { emulator::wait_for_previous_launch(); }
inline void let_next_launch_begin() {}

}  // namespace lrcn_fast::cuda
