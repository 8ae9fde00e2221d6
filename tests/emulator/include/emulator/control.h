#pragma once

#include <cstdint>

// What a test chooses for the launches that follow.

namespace lrcn_fast::emulator {

// Of the order in which threads run, strong stores become visible and copies end.
void set_seed(std::uint32_t seed);

// 80 or 90, for example: what the device can. Launches with clusters are refused below 90.
void set_compute_capability(int capability);

}  // namespace lrcn_fast::emulator
