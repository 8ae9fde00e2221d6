#pragma once

#include <cstdint>

#include "lrcn_fast/parallel.h"

namespace lrcn_fast::cpu {

// How the work of one call is cut: `groups` share nothing and never wait for each other (rows of the batch);
// the `members` of a group work on the same phase and meet at its end (columns of the weight matrix).
struct Cut {
  int64_t groups;
  int64_t members;
};

// columns: panels of the widest product of a phase; weight_bytes: size of its packed weights.
Cut cut_for(int64_t threads, int64_t batch, int64_t panels, int64_t weight_bytes);

using Part = void (*)(void* job, int64_t group, int64_t member, int64_t phase);

// Runs part(job, group, member, phase) for every member and phase; a phase of a group begins when all parts
// of its previous phase are done. One parallel region for all phases. A member that its thread has not begun
// is taken over by whoever waits for it, so the call ends on any number of threads, down to one.
void run_phases(const Parallel& parallel, const Cut& cut, int64_t phases, Part part, void* job);

}  // namespace lrcn_fast::cpu
