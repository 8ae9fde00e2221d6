#pragma once

#include <cstddef>
#include <cstring>
#include <typeinfo>

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"
#include "lrcn_fast/types.h"

namespace lrcn_fast::cuda {

struct LaunchShape {
  unsigned blocks_x = 1, blocks_y = 1, blocks_z = 1, threads = 32;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;
  bool overlaps_previous = false;
  bool all_at_once = false;
};

inline int compute_capability() { return emulator::compute_capability(); }

// Runs the launch to its end.
template <class Params>
Status launch(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void*) {
  const emulator::Shape emulated = {{shape.blocks_x, shape.blocks_y, shape.blocks_z},
                                    shape.threads,
                                    shape.shared_bytes,
                                    shape.cluster,
                                    shape.overlaps_previous};
  return emulator::run(emulated, typeid(Params).name(), [&] { kernel(params); });
}

// All blocks of a launch are alive at once here.
template <class Params>
bool fits(void (*)(Params), const LaunchShape& shape) {
  return shape.cluster == 1 || compute_capability() >= 90;
}

inline Status fill(void* memory, int byte, std::size_t bytes, void*) {
  std::memset(memory, byte, bytes);
  return Status::kOk;
}

}  // namespace lrcn_fast::cuda
