#pragma once

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"

namespace lrcn_fast::cuda {

inline void block_barrier() { emulator::block_barrier(); }
inline void warp_barrier() { emulator::warp_barrier(); }

}  // namespace lrcn_fast::cuda
