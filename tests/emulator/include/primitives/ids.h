#pragma once

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"

namespace lrcn_fast::cuda {

inline unsigned thread_index() { return emulator::place().thread; }
inline unsigned thread_count() { return emulator::place().threads; }
inline unsigned lane() { return emulator::place().thread % 32; }
inline unsigned warp() { return emulator::place().thread / 32; }

inline unsigned block_x() { return emulator::place().block[0]; }
inline unsigned block_y() { return emulator::place().block[1]; }
inline unsigned block_z() { return emulator::place().block[2]; }
inline unsigned blocks_x() { return emulator::place().blocks[0]; }
inline unsigned blocks_y() { return emulator::place().blocks[1]; }
inline unsigned blocks_z() { return emulator::place().blocks[2]; }

}  // namespace lrcn_fast::cuda
