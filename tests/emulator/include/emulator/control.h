#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// What a test chooses for the launches that follow.

namespace lrcn_fast::emulator {

// Of the order in which threads run, strong stores become visible and copies end.
void set_seed(std::uint32_t seed);

// 80 or 90, for example: what the device can. Launches with clusters are refused below 90.
void set_compute_capability(int capability);
// Dynamic shared memory of a block in the launch that ran last.
std::size_t last_shared_bytes();
// Of the emulated GPU: what tiles are chosen for.
void set_multiprocessors(int count);
// Blocks that the emulated GPU says it runs at the same time. Those of a launch all do, however many there are.
void set_blocks_at_once(unsigned count);

// The type of the parameters of the last launch: which kernel a launcher chose.
const std::string& last_launch();
// How many there have been.
unsigned launches();

}  // namespace lrcn_fast::emulator
