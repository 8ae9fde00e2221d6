#pragma once

#include "../rows.h"
#include "../team.h"
#include "lrcn_fast/lstm.h"
#include "pack.h"

namespace lrcn_fast::cpu::LRCN_ISA {

// Hands out pieces of the caller's workspace, each on a cache line of its own; without one it only counts.
class Workspace {
 public:
  explicit Workspace(void* memory) : memory_(static_cast<char*>(memory)) {}

  template <class C>
  C* take(int64_t count) {
    char* piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (static_cast<size_t>(count) * sizeof(C) + 63) / 64 * 64;
    return reinterpret_cast<C*>(piece);
  }
  size_t used() const { return used_; }

 private:
  char* memory_;
  size_t used_ = 0;
};

struct RowOrder {
  int64_t* row;  // see deal_rows
  int64_t* first;

  static RowOrder take(Workspace& workspace, const LstmShape& shape) {
    return {workspace.take<int64_t>(shape.batch), workspace.take<int64_t>(shape.batch + 1)};
  }

  // One past the last place of the group whose row is valid at step t.
  int64_t valid_end(const LstmShape& shape, int64_t group, int64_t t) const {
    int64_t end = first[group + 1];
    if (shape.lengths != nullptr) {
      while (end > first[group] && shape.lengths[row[end - 1]] <= t) --end;
    }
    return end;
  }
};

inline int64_t length_of(const LstmShape& shape, int64_t b) {
  return shape.lengths == nullptr ? shape.steps : shape.lengths[b];
}

inline int64_t frame_of(const LstmShape& shape, int64_t t, int64_t b) {
  return t * shape.frame_step + b * shape.frame_row;
}

// Whether the state that step t starts from is carried over from its neighbour, or from the initial state.
inline bool carried_into(const LstmShape& shape, int64_t t, int64_t b) {
  if (shape.cont == nullptr) return true;
  if (!shape.reverse) return shape.cont[t * shape.cont_step + b * shape.cont_row];
  return t + 1 >= length_of(shape, b) || shape.cont[(t + 1) * shape.cont_step + b * shape.cont_row];
}

// Whether step t is where the scan of row b begins, or where it ends.
inline bool scan_begins(const LstmShape& shape, int64_t t, int64_t b) {
  return shape.reverse ? t + 1 == length_of(shape, b) : t == 0;
}
inline bool scan_ends(const LstmShape& shape, int64_t t, int64_t b) {
  return shape.reverse ? t == 0 : t + 1 == length_of(shape, b);
}

// Up to kTileRows places of one group, from `place` on.
template <class C>
struct TilePlaces {
  const C* source[kTileRows];  // operand of multiply
  int64_t place;
  int count;
};

template <class C, class Visitor>
inline void for_each_tile(int64_t begin, int64_t end, const C* operand, int64_t width, Visitor&& visit) {
  for (int64_t place = begin; place < end;) {
    TilePlaces<C> tile;
    tile.place = place;
    tile.count = next_tile(end - place);
    for (int r = 0; r < tile.count; ++r) tile.source[r] = operand + (place + r) * width;
    visit(tile);
    place += tile.count;
  }
}

template <class S>
inline void fill_zero(S* target, int64_t begin, int64_t end) {
  if (begin < end) memset(static_cast<void*>(target + begin), 0, static_cast<size_t>(end - begin) * sizeof(S));
}

// Brings `count` elements into the private cache while other work goes on. Of rows that lie apart no CPU looks ahead by
// itself.
template <class S>
inline void fetch(const S* source, int64_t count) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(S));
  for (int64_t k = 0; k < count; k += kLine) __builtin_prefetch(source + k, 0, 2);
  __builtin_prefetch(source + count - 1, 0, 2);
}

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace lrcn_fast::cpu::LRCN_ISA
