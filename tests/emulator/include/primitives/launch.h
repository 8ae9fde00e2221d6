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

inline int multiprocessors() { return emulator::multiprocessors(); }

// A launch runs to its end before the call returns.
template <class Params>
class Launcher {
 public:
  Launcher(void (*kernel)(Params), const LaunchShape& shape) : kernel_(kernel), shape_(shape) {}

  Status operator()(const Params& params, bool overlaps_previous, void*) {
    return emulator::run(emulated(overlaps_previous), typeid(Params).name(), [&] { kernel_(params); });
  }

  bool fits() const {
    if (emulator::refuses(emulated(false))) return false;
    return !shape_.all_at_once || shape_.blocks_x * shape_.blocks_y * shape_.blocks_z <= emulator::blocks_at_once();
  }

 private:
  emulator::Shape emulated(bool overlaps_previous) const {
    return {{shape_.blocks_x, shape_.blocks_y, shape_.blocks_z},
            shape_.threads,
            shape_.shared_bytes,
            shape_.cluster,
            overlaps_previous};
  }

  void (*kernel_)(Params);
  LaunchShape shape_;
};

template <class Params>
Status launch(void (*kernel)(Params), const LaunchShape& shape, const Params& params, void* stream) {
  return Launcher<Params>(kernel, shape)(params, shape.overlaps_previous, stream);
}

inline Status fill(void* memory, int byte, std::size_t bytes, void*) {
  std::memset(memory, byte, bytes);
  return Status::kOk;
}

inline Status copy_rows(void* to, std::size_t to_bytes, const void* from, std::size_t bytes, std::size_t rows, void*) {
  for (std::size_t row = 0; row < rows; ++row) {
    std::memcpy(static_cast<char*>(to) + row * to_bytes, static_cast<const char*>(from) + row * bytes, bytes);
  }
  return Status::kOk;
}

}  // namespace lrcn_fast::cuda
