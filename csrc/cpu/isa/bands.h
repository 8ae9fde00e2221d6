#pragma once

#include "layout.h"
#include "lrcn_fast/relu_max_pool_lrn.h"

// How a call on whole maps is cut up, and what its members keep beside them.
namespace lrcn_fast::cpu::LRCN_ISA {

inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Scratch of one member should stay in a private cache.
inline constexpr int64_t kScratchBytes = 256 * 1024;
// Elements of x that are worth another member.
inline constexpr int64_t kElementsWorthAMember = 32 * 1024;

// The item of work: rows [begin, end) of one frame's result.
struct Band {
  int64_t frame;
  int64_t begin, end;
};

struct Bands {
  int64_t members;  // that work at the same time, each with scratch of its own
  int64_t rows;     // of a frame
  int64_t height;   // of a band
  int64_t count;

  // scratch_row: bytes of scratch that one more row of a band asks for.
  Bands(const ReluMaxPoolLrnShape& shape, int64_t rows, int64_t scratch_row, int64_t threads) : rows(rows) {
    const int64_t elements = shape.frames * shape.channels * shape.height * shape.width;
    members = larger(1, smaller(threads, elements / kElementsWorthAMember));
    // Four bands for each member even their work out; frames alone do where there are many.
    const int64_t wanted = (4 * members + shape.frames - 1) / larger(1, shape.frames);
    height = smaller(larger(1, rows / larger(1, wanted)), larger(1, kScratchBytes / larger(1, scratch_row)));
    const int64_t per_frame = (rows + height - 1) / height;
    height = (rows + per_frame - 1) / per_frame;
    count = shape.frames * ((rows + height - 1) / height);
    members = smaller(members, larger(1, count));
  }

  Band at(int64_t item) const {
    const int64_t per_frame = (rows + height - 1) / height;
    const int64_t begin = item % per_frame * height;
    return {item / per_frame, begin, smaller(begin + height, rows)};
  }
};

// job.work(member) for all members; each takes items from job.next until there are none left.
template <class Job>
void run_members(const Parallel& parallel, Job& job) {
  parallel.run(
      job.bands.members,
      [](int64_t begin, int64_t end, void* context) {
        for (int64_t member = begin; member < end; ++member) static_cast<Job*>(context)->work(member);
      },
      &job);
}

template <class Visitor>
void take_bands(const Bands& bands, int64_t* next, Visitor&& visit) {
  for (;;) {
    const int64_t item = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
    if (item >= bands.count) return;
    visit(bands.at(item));
  }
}

}  // namespace lrcn_fast::cpu::LRCN_ISA
