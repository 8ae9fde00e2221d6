#pragma once

#include <cstdint>

namespace lrcn_fast {

// The caller's thread pool, so that kernels share the threads of the framework that calls them.
// `run` splits [0, n) into at most `threads` ranges, calls `body` once for each and returns when all are done.
// It may use fewer threads than ranges: a body must never wait for a range that nobody has begun.
struct Parallel {
  using Body = void (*)(int64_t begin, int64_t end, void* context);
  int64_t threads;
  void (*run)(int64_t n, Body body, void* context);
};

}  // namespace lrcn_fast
