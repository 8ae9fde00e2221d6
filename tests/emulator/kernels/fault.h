#pragma once

// The kernels of this folder prove the emulator: each is right as it is, and wrong in one way with a fault.

namespace lrcn_fast::kernels {

enum class Fault {
  kNone,
  kNoBlockBarrier,
  kNoWarpBarrier,
  kDivergentShuffle,
  kLeavesEarly,
  kWarpLeavesEarly,
  kBarrierInBranch,
  kWritesInput,
  kWritesConstant,
  kSmallShared,
  kMisaligned,
  kNoPreviousWait,
  kWrongLanes,
  kWrongRows,
  kNotRounded,
  kFlagFirst,
  kNoRelease,
  kNoFence,
  kNoAcquire,
  kPlainPoll,
  kTornWords,
  kSwappedBuffers,
  kNoClusterBarrier,
  kWrongParity,
  kWrongBytes,
  kBlockScope,
  kNoCopyWait,
  kNoAsyncFence,
  kConstantOfWritten,
  kConstantOfPrevious,
};

}  // namespace lrcn_fast::kernels
