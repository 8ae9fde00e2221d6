#pragma once

#include <cstdint>

#include "lrcn_fast/lstm.h"
#include "primitives/memory.h"

// Where a row stands in its scan. cont and lengths are constant while a sequence runs, so both are read before
// a launch waits for the one before it.

namespace lrcn_fast::cuda {

// The lengths lie on the device, where nobody has checked them without waiting: one outside 0..T must not
// reach another row's memory.
__device__ inline std::int64_t length_of(const LstmShape& shape, std::int64_t b) {
  if (shape.lengths == nullptr) return shape.steps;
  const std::int64_t length = load_constant(shape.lengths + b);
  return length < 0 ? 0 : length > shape.steps ? shape.steps : length;
}

__device__ inline std::int64_t frame_of(const LstmShape& shape, std::int64_t t, std::int64_t b) {
  return t * shape.frame_step + b * shape.frame_row;
}

__device__ inline bool continues(const LstmShape& shape, std::int64_t t, std::int64_t b) {
  const bool* cont = shape.cont + t * shape.cont_step + b * shape.cont_row;
  return load_constant(reinterpret_cast<const std::uint8_t*>(cont)) != 0;
}

// Whether the state that step t starts from is carried over from its neighbour, or from the initial state.
__device__ inline bool carried_into(const LstmShape& shape, std::int64_t t, std::int64_t b, std::int64_t length) {
  if (shape.cont == nullptr) return true;
  if (!shape.reverse) return continues(shape, t, b);
  return t + 1 >= length || continues(shape, t + 1, b);
}

// Row b at step t.
struct RowStep {
  std::int64_t b, t, length;
  bool active;   // the step is one of the row's
  bool begins;   // the scan of the row begins here
  bool ends;     // or ends here
  bool carried;  // see carried_into

  __device__ RowStep(const LstmShape& shape, std::int64_t t, std::int64_t b) : b(b), t(t), length(0) {
    const bool exists = b < shape.batch;
    length = exists ? length_of(shape, b) : 0;
    active = exists && t < length;
    const bool at_first = t == 0, at_last = t + 1 == length;
    begins = shape.reverse ? at_last : at_first;
    ends = shape.reverse ? at_first : at_last;
    carried = active && carried_into(shape, t, b, length);
  }
};

// The step that follows t in the scan, and the one before it.
__device__ inline std::int64_t step_after(const LstmShape& shape, std::int64_t t) {
  return shape.reverse ? t - 1 : t + 1;
}
__device__ inline std::int64_t step_before(const LstmShape& shape, std::int64_t t) {
  return shape.reverse ? t + 1 : t - 1;
}

}  // namespace lrcn_fast::cuda
