#pragma once

#include <cstdint>

#include "lrcn_fast/lstm_plan.h"
#include "variants.h"

// Whether a kernel's blocks find room on a GPU. The launcher asks the device itself once more.

namespace lrcn_fast::plan {

struct Fit {
  // How far the kernel got; `obstacle` says what it ended at. Of several obstacles the furthest tells most.
  enum Stage : std::int32_t { kNoClusters, kTooLarge, kSharedMemory, kTogether, kFits };
  Stage stage;
  char obstacle[96];
  int resident;               // blocks on the busiest multiprocessor
  std::int64_t slices;        // of a scan's batch
  std::int64_t blocks;        // of the launch
  std::int64_t rounds;        // in which clusters run, more of them than fit at the same time
  std::int64_t shared_bytes;  // of a block
};

// Clusters of 2, 4, 8 or 16 blocks that run at the same time, each block with all shared memory of a multiprocessor.
std::int64_t clusters_of(const GpuProperties& gpu, std::int64_t blocks);

// All scans of the problem in one launch.
Fit fit(const GpuProperties& gpu, const LstmProblem& problem, const Variant& variant);

}  // namespace lrcn_fast::plan
