#pragma once

#include <vector>

#include "state.h"

namespace lrcn_fast::emulator {

// Why a device would refuse the launch, or null.
const char* reason_to_refuse(const Shape& shape);

// The threads, blocks and clusters of a launch. `memory` becomes their shared memory.
void lay_out(Launch& l, std::vector<unsigned char>& memory);

}  // namespace lrcn_fast::emulator
