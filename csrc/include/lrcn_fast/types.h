#pragma once

#include <cstdint>

// What every kernel's parameter struct is made of. Plain C++: neither torch nor CUDA headers are needed
// to fill a struct in, so bindings, tests and emulators share it.

namespace lrcn_fast {

// Element type of all floating buffers of one call. Kernels accumulate in float, in double for kFloat64.
enum class DType : std::int32_t { kFloat32, kFloat64, kFloat16, kBFloat16 };

enum class Status : std::int32_t {
  kOk,
  kUnsupportedDType,
  kInvalidSize,
  kOutOfMemory,
  // A CUDA launch was refused; launch_error() in launch_error.h has the runtime's words.
  kLaunchFailed,
};

// static: files compiled once per instruction set must not share one copy, see csrc/cpu/isa.
static inline const char* to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "success";
    case Status::kUnsupportedDType:
      return "unsupported dtype";
    case Status::kInvalidSize:
      return "invalid size or stride";
    case Status::kOutOfMemory:
      return "out of memory for scratch space";
    case Status::kLaunchFailed:
      return "kernel launch failed";
  }
  return "unknown status";
}

static inline std::int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return 8;
    case DType::kFloat32:
      return 4;
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
  }
  return 0;
}

}  // namespace lrcn_fast
